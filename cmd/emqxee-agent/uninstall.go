package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/home"
)

func (p *program) uninstallCommand() *cobra.Command {
	var dry, purge bool
	cmd := &cobra.Command{
		Use: "uninstall", Short: "stop the agent and remove what install has put in place", Args: noArguments,
		Long: `Stops the agent and removes the service and the program. The agent's directory
stays, with its identity, so that a later install goes on where this one ended;
--purge removes it too.

The server still lists the agent afterwards: call emqxee-agent unregister before
it, or remove the agent in the server's console.

` + exitHelp,
		Example: "  emqxee-agent unregister && emqxee-agent uninstall --purge",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.findHome()
			if err != nil {
				return err
			}
			return p.carryOut(cmd.Context(), dry, p.uninstallSteps(dir, purge))
		},
	}
	defineSwitch(cmd.Flags(), &dry, "dry-run", "only say what would be done")
	defineSwitch(cmd.Flags(), &purge, "purge", "remove the agent's directory with its identity and credentials, too")
	return cmd
}

func (p *program) uninstallSteps(dir home.Dir, purge bool) []step {
	s := p.service(dir)
	steps := []step{{"the agent is stopped", func(ctx context.Context) error {
		_, err := p.stop(ctx, dir)
		return err
	}}}
	if s.installed() {
		steps = append(steps,
			step{"systemctl disable " + unitName, func(ctx context.Context) error {
				return s.systemctl(ctx, "disable",
					unitName)
			}},
			removal(s.unitFile()),
			step{"systemctl daemon-reload", func(ctx context.Context) error {
				return s.systemctl(ctx,
					"daemon-reload")
			}})
	} else if exists(s.unitFile()) && !s.booted() && s.ofAnother() == "" {
		steps = append(steps, removal(s.unitFile()))
	}
	switch target, other := p.installedBinary(dir), s.ofAnother(); {
	case other != "" && exists(target):
		steps = append(steps, step{"program " + target + " and the service stay: they are of the agent of " + other,
			nil})
	case exists(target):
		steps = append(steps, removal(target))
	}
	identity, err := agentproto.ReadIdentity(dir.Identity())
	registered := err == nil && identity.Agent != ""
	switch {
	case purge && exists(string(dir)):
		steps = append(steps, step{"directory " + string(dir) + " is removed",
			func(context.Context) error { return os.RemoveAll(string(dir)) }})
		if registered {
			steps = append(steps, step{"the server still lists the agent " + identity.Agent + "; remove it there", nil})
		}
	case exists(string(dir)):
		steps = append(steps, step{"directory " + string(dir) + " stays; --purge removes it", nil})
	}
	return steps
}

func removal(name string) step {
	return step{name + " is removed", func(context.Context) error {
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}}
}
