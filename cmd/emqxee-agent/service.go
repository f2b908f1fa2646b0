package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/openecp/openecp/internal/agent/home"
)

const (
	unitName   = "emqxee-agent.service"
	binaryPath = "/usr/local/bin/emqxee-agent"
)

// service is the agent as a service of systemd.
type service struct {
	root string   // prefix of the unit's path
	dir  home.Dir // the home it has to be for
	env  []string
}

func (p *program) service(dir home.Dir) service { return service{p.root, dir, p.environ} }

// booted reports whether systemd runs this host, as sd_booted(3) finds out.
func (s service) booted() bool {
	info, err := os.Lstat(filepath.Join(s.root, "/run/systemd/system"))
	return err == nil && info.IsDir()
}

// finalHome is the home as the unit names it: without the prefix, which is not there
// any more when an image runs.
func (s service) finalHome() home.Dir {
	if rest, ok := strings.CutPrefix(string(s.dir), s.root+"/"); ok && s.root != "" {
		return home.Dir("/" + rest)
	}
	return s.dir
}

func (s service) unitFile() string {
	return filepath.Join(s.root, "/etc/systemd/system", unitName)
}

// installed reports whether systemd runs this host and has a unit for this home:
// an agent of another directory is nothing to it.
func (s service) installed() bool {
	unit, err := os.ReadFile(s.unitFile())
	return err == nil && s.booted() && bytes.Contains(unit, []byte("\nExecStart="+execStart(s.finalHome())+"\n"))
}

// ofAnother returns the home of another agent that the unit starts; an empty text
// means that there is no unit, that it is this agent's, or none of this program's.
func (s service) ofAnother() string {
	unit, err := os.ReadFile(s.unitFile())
	_, rest, ours := strings.Cut(string(unit), "\nExecStart="+binaryPath+" run --home ")
	if err != nil || !ours {
		return ""
	}
	quoted, _, _ := strings.Cut(rest, "\n")
	if quoted == unitQuote(string(s.finalHome())) {
		return ""
	}
	return quoted
}

// active reports whether systemd says that the service runs.
func (s service) active(ctx context.Context) bool {
	return s.systemctl(ctx, "is-active", "--quiet", unitName) == nil
}

// systemctl calls systemd. Its errors hold what systemctl has printed.
func (s service) systemctl(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "systemctl", args...)
	cmd.Env = withoutSecrets(s.env)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fail(exitFailed, "", "systemd runs this host, but there is no systemctl on PATH")
	}
	code, next := exitFailed, ""
	if os.Geteuid() != 0 {
		code, next = exitNotAllowed, "Run it as root, or with sudo."
	}
	return fail(code, next, "systemctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
}

// startService lets systemd start the agent, and waits until it answers.
func (p *program) startService(ctx context.Context, s service, dir home.Dir) error {
	sentence := "The service " + unitName + " runs already, as %s."
	if !s.active(ctx) {
		sentence = "The service " + unitName + " runs, as %s."
		if err := s.systemctl(ctx, "start", unitName); err != nil {
			return err
		}
	}
	if !until(answersWithin, func() bool { return ctx.Err() != nil || answers(ctx, dir) }) {
		return fail(exitTimedOut, "journalctl -u emqxee-agent says why.",
			"systemd has started %s, but the agent has not answered within %v", unitName, answersWithin)
	}
	return p.afterStart(ctx, dir, sentence)
}

// unitText returns the unit of an agent that runs as a user. Root without
// capabilities could not read files of EMQX that are closed to others.
func unitText(dir home.Dir, user string) string {
	capabilities := ""
	if user == "root" {
		capabilities = "CAP_DAC_READ_SEARCH"
	}
	return fmt.Sprintf(unitTemplate, user, execStart(dir), unitQuote(string(dir)), capabilities)
}

func execStart(dir home.Dir) string { return binaryPath + " run --home " + unitQuote(string(dir)) }

// unitQuote makes one word of a path for a unit file.
func unitQuote(path string) string {
	path = strings.ReplaceAll(path, "%", "%%")
	if strings.ContainsAny(path, " \t\"'\\$;") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `$$`).Replace(path) + `"`
	}
	return path
}

// unitTemplate takes the user, ExecStart, the home and the capabilities. The agent needs the
// network, its home, and to read the files of EMQX: hence ProtectHome=read-only,
// for those who unpack EMQX below /home, and no PrivateUsers, which would hide
// whose the logs are.
const unitTemplate = `# Written by emqxee-agent install, which writes it anew; put changes into
# systemctl edit emqxee-agent.

[Unit]
Description=Agent that connects this host's EMQX to OpenECP
Wants=network-online.target
After=network-online.target emqx.service
StartLimitIntervalSec=0

[Service]
Type=exec
User=%[1]s
ExecStart=%[2]s
Restart=always
RestartSec=5
TimeoutStopSec=15
UMask=0077
MemoryMax=256M
Environment=GOMEMLIMIT=192MiB
LimitNOFILE=65536

NoNewPrivileges=yes
CapabilityBoundingSet=%[4]s
AmbientCapabilities=
ProtectSystem=strict
ReadWritePaths=%[3]s
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`
