package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openecp/openecp/internal/agent/home"
)

// program is what all commands have in common.
type program struct {
	stdin          *os.File
	stdout, stderr io.Writer
	environ        []string
	root           string // prefix of every path outside the home; "" on a real host
	homeFlag       string // --home; empty means found by itself
}

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, stdin *os.File, stdout, stderr io.Writer, environ []string) int {
	stdout, stderr = plainWriter{stdout}, plainWriter{stderr}
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
	cmd := p.command()
	cmd.SetArgs(joinBooleans(args))
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return report(stderr, cmd.ExecuteContext(ctx))
}

const rootHelp = `emqxee-agent connects the EMQX Enterprise broker on this host to an OpenECP
server. The agent dials the server; nothing has to be opened towards this host.

In this order:
  emqxee-agent install      copies itself to /usr/local/bin, and makes a service where systemd runs
  emqxee-agent start        starts the agent; it waits until it is registered
  emqxee-agent register …   tells it its server; the guide in the server's console has the command
  emqxee-agent status       says how it stands, and what is to be done
  emqxee-agent doctor       checks each step of the way to the server and to the broker

Files, all below --home:
  etc/agent.yaml       settings
  data/identity.json   the agent's key and its server
  data/broker.json     addresses and credentials of EMQX; they never leave this host
  log/agent.log        the log, where systemd does not keep it (journalctl -u emqxee-agent)
  run/                 what a running agent keeps there

The directory is /opt/emqxee-agent. Inside the EMQX container, where that cannot
be written, it is /opt/emqx/data/emqxee-agent.

` + exitHelp

func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "emqxee-agent",
		Short:         "connects an EMQX broker to OpenECP",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fail(exitUsage, commandList(cmd)+"\nemqxee-agent --help says more.",
				"a command is missing; there are:")
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.Version = thisBuild().String() // for --version, which people try first
	root.SetVersionTemplate("emqxee-agent {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.StringVar(&p.homeFlag, "home", "", "directory of the agent (EMQXEE_AGENT_HOME; default "+home.Default+")")
	flags.StringVar(&p.root, "root", p.variable("ROOT"),
		"put everything outside the home below this directory, as for an image (EMQXEE_AGENT_ROOT)")
	root.AddCommand(
		p.installCommand(), p.uninstallCommand(), p.startCommand(), p.stopCommand(), p.restartCommand(),
		p.statusCommand(),
		p.registerCommand(), p.unregisterCommand(), p.doctorCommand(), p.versionCommand(), p.runCommand(),
		p.superviseCommand(),
	)
	return root
}

// noArguments refuses arguments without repeating them: what stands in the wrong
// place may be a secret.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		return unknownCommand(cmd, args[0])
	}
	return fail(exitUsage, cmd.CommandPath()+" --help lists the flags.",
		"%s takes flags only, and %d %s besides", cmd.CommandPath(), len(args), plural(len(args), "word stands there",
			"words stand there"))
}

// commandList is one line for each command.
func commandList(root *cobra.Command) string {
	var lines []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			lines = append(lines, fmt.Sprintf("%-11s %s", c.Name(), c.Short))
		}
	}
	return strings.Join(lines, "\n")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// say prints one line to people.
func (p *program) say(format string, args ...any) { fmt.Fprintf(p.stdout, format+"\n", args...) }

// warn prints one line to people on stderr.
func (p *program) warn(format string, args ...any) {
	fmt.Fprintf(p.stderr, "emqxee-agent: "+format+"\n", args...)
}
