package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openecp/openecp/internal/agent/home"
	"github.com/openecp/openecp/internal/atomicfile"
)

// step is one thing that install or uninstall does. A step without do is told
// only.
type step struct {
	text string
	do   func(context.Context) error
}

// carryOut tells each step and does it; with dry it tells them only.
func (p *program) carryOut(ctx context.Context, dry bool, steps []step) error {
	for _, s := range steps {
		if dry {
			p.say("would: %s", s.text)
			continue
		}
		if s.do != nil {
			if err := s.do(ctx); err != nil {
				return err
			}
		}
		p.say("%s", s.text)
	}
	return nil
}

func (p *program) installCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "install", Short: "put the program in place, as a service where systemd runs", Args: noArguments,
		Long: `Copies this program to ` + binaryPath + ` and makes the agent's directory.

Where systemd runs this host, it also writes and enables the service emqxee-agent,
which starts with the host. Elsewhere start runs the agent in the background, and
nothing starts it after a reboot.

The agent runs as the user emqx if there is one, so that it may read EMQX's
configuration and logs and nothing else; otherwise as root. It can be called
again, as with a newer program: restart takes that over.

` + exitHelp,
		Example: "  emqxee-agent install --dry-run\n  sudo ./emqxee-agent install && sudo emqxee-agent start",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.findHome()
			if err != nil {
				return err
			}
			steps, err := p.installSteps(dir)
			if err != nil {
				return err
			}
			return p.carryOut(cmd.Context(), dry, steps)
		},
	}
	defineSwitch(cmd.Flags(), &dry, "dry-run", "only say what would be done")
	return cmd
}

func (p *program) installSteps(dir home.Dir) ([]step, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	owner, asRoot, s := agentAccount(p.root), os.Geteuid() == 0, p.service(dir)
	if !asRoot && s.booted() {
		return nil, fail(exitNotAllowed,
			"sudo emqxee-agent install; or leave it out: start runs the agent in the background.",
			"making a service takes root's rights")
	}
	if other := s.ofAnother(); other != "" {
		return nil, fail(exitFailed,
			"This one runs beside it without a service: emqxee-agent start --home "+string(dir)+
				".\nTo put it in the other's "+
				"place: emqxee-agent uninstall --home "+other+", then this command again.",
			"the service %s is there for the agent of %s", unitName, other)
	}
	target := p.installedBinary(dir)
	steps := []step{{"directory " + string(dir), func(context.Context) error {
		if !asRoot {
			return p.makeHome(dir)
		}
		if err := p.makeRootsHome(dir); err != nil {
			return err
		}
		return giveTo(owner, string(dir))
	}}}
	if asRoot {
		steps[0].text += ", owned by " + owner.name
	}
	if self == target {
		steps = append(steps, step{"program " + target + " (already there)", nil})
	} else {
		steps = append(steps, step{"program " + target, func(context.Context) error {
			return copyProgram(self,
				target)
		}})
	}
	if !s.booted() {
		return append(steps, step{"no service: systemd does not run here. emqxee-agent start runs the agent in the " +
			"background; nothing starts it after a reboot", nil}), nil
	}
	return append(steps,
		step{"unit " + s.unitFile() + " for user " + owner.name, func(context.Context) error {
			//nolint:gosec // systemd's own folder
			if err := os.MkdirAll(filepath.Dir(s.unitFile()), 0o755); err != nil {
				return err
			}
			return atomicfile.Write(s.unitFile(), []byte(unitText(s.finalHome(), owner.name)), 0o644)
		}},
		step{"systemctl daemon-reload", func(ctx context.Context) error { return s.systemctl(ctx, "daemon-reload") }},
		step{"systemctl enable " + unitName, func(ctx context.Context) error {
			return s.systemctl(ctx, "enable",
				unitName)
		}},
		step{"next: emqxee-agent start, then emqxee-agent register", nil},
	), nil
}

// makeRootsHome is makeHome but for a directory that belongs to another user already,
// whose links must not lead root astray: the agent itself puts that right, as its
// owner.
func (p *program) makeRootsHome(dir home.Dir) error {
	if info, err := os.Stat(string(dir)); err == nil {
		if uid, _ := ownerOf(info); uid != 0 {
			return nil
		}
	}
	return p.makeHome(dir)
}
