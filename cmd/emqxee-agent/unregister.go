package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/agent/home"
)

// unregisterWithin bounds the call of the server.
const unregisterWithin = 30 * time.Second

func (p *program) unregisterCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "unregister", Short: "take the agent from its server, and forget it here", Args: noArguments,
		Long: `Tells the server to forget this agent, then removes its identity, and what it knows
of EMQX, from this host. An agent that runs goes on running, and waits for the next
registration.

If the server cannot be reached nothing is changed; with --force the agent forgets
the server nevertheless, which then lists an agent that does not come back: remove it there.

` + exitHelp,
		Example: "  sudo emqxee-agent unregister\n  sudo emqxee-agent unregister --force    # the server is gone " +
			"for good",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.enter()
			if err != nil {
				return err
			}
			identity, err := agentproto.ReadIdentity(dir.Identity())
			if errors.Is(err, fs.ErrNotExist) {
				return fail(exitNotRunning, "", "the agent is not registered; there is nothing to do")
			}
			if err == nil {
				err = p.askToForget(cmd.Context(), dir, identity)
			}
			if err != nil && !force {
				failed := serverFailure(err, "unregister the agent")
				code, _ := classify(failed)
				return fail(code, "emqxee-agent doctor says which step of the way fails. If the server is gone for "+
					"good: "+
					"emqxee-agent unregister --force.", "%w", failed)
			}
			if err != nil {
				p.warn("the server was not told: %s", oneLine(err))
			}
			if err := forget(cmd.Context(), dir); err != nil {
				return err
			}
			p.say("The agent %s is not registered any more.", identity.Agent)
			return nil
		},
	}
	defineSwitch(cmd.Flags(), &force, "force", "forget the server even if it cannot be told")
	return cmd
}

// askToForget tells the server. That it has forgotten the agent before is well.
func (p *program) askToForget(ctx context.Context, dir home.Dir, identity agentproto.Identity) error {
	ctx, cancel := context.WithTimeout(ctx, unregisterWithin)
	defer cancel()
	var stored serverFlags
	if err := stored.orStored(dir); err != nil {
		return err
	}
	config, err := p.agentConfig(identity, stored)
	if err != nil {
		return err
	}
	err = agentproto.Unregister(ctx, config)
	var refusal *agentproto.Refusal
	if errors.As(err, &refusal) && refusal.Final() {
		return nil
	}
	return err
}

// forget removes what a registration has left. The identity goes first: without it
// nothing is done with the rest.
func forget(ctx context.Context, dir home.Dir) error {
	for _, file := range []string{dir.Identity(), dir.Broker()} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return agent.Reload(ctx, string(dir))
}
