package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/openecp/openecp/internal/agent/home"
)

func (p *program) stopCommand() *cobra.Command {
	return &cobra.Command{
		Use: "stop", Short: "stop the agent", Args: noArguments,
		Long: `Stops the agent and waits until it has ended. What has not ended 10 seconds
after SIGTERM is killed. It is no error if the agent does not run. A service of
systemd comes back after a reboot; emqxee-agent uninstall ends that.

` + exitHelp,
		Example: "  sudo emqxee-agent stop",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.ownHome(false)
			if err != nil {
				return err
			}
			ended, err := p.stop(cmd.Context(), dir)
			switch {
			case err != nil:
				return err
			case ended:
				p.say("The agent is stopped.")
			default:
				p.say("The agent does not run.")
			}
			return nil
		},
	}
}

// stop ends the agent, however this host runs it, and reports whether it ran.
func (p *program) stop(ctx context.Context, dir home.Dir) (bool, error) {
	if s := p.service(dir); s.installed() {
		active := s.active(ctx)
		if err := s.systemctl(ctx, "stop", unitName); err != nil {
			return false, err
		}
		by, err := endRunning(dir) // one that was started by hand, beside the service
		return active || by, err
	}
	return endRunning(dir)
}

func (p *program) restartCommand() *cobra.Command {
	return &cobra.Command{
		Use: "restart", Short: "stop the agent and start it", Args: noArguments,
		Long: `Stops the agent and starts it, as after an update of the program. A change of
etc/agent.yaml needs none: the agent takes it up by itself. One that does not run is started.

` + exitHelp,
		Example: "  sudo ./emqxee-agent install && sudo emqxee-agent restart    # take a newer program",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.ownHome(true)
			if err != nil {
				return err
			}
			if _, err := p.stop(cmd.Context(), dir); err != nil {
				return err
			}
			return p.start(cmd.Context(), dir)
		},
	}
}
