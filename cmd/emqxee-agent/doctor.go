package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/agent/home"
)

func (p *program) doctorCommand() *cobra.Command {
	var (
		asJSON bool
		server serverFlags
	)
	cmd := &cobra.Command{
		Use: "doctor", Short: "check each step of the way to the server and to EMQX", Args: noArguments,
		Long: `Tries the way to the server step by step (name, connection, proxy, TLS, clock,
HTTP, both carriers, proof of identity), and the way to EMQX, and says which step
fails and what to do. It changes nothing, and works beside an agent that runs.

It works before the agent is registered, too: with --url.

` + environmentHelp + "\n\n" + exitHelp,
		Example: "  emqxee-agent doctor\n  emqxee-agent doctor --url https://ecp.example.com --proxy http://proxy:3128",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.takeVariables(cmd); err != nil {
				return err
			}
			dir, err := p.findHome()
			if err == nil {
				err = errors.Join(server.check(false), p.dropRights(dir))
			}
			if err != nil {
				return err
			}
			d, err := p.examine(cmd, dir, server)
			if err != nil {
				return err
			}
			if asJSON {
				err = p.printJSON(d)
			} else {
				printDiagnosis(p.stdout, d)
			}
			if err == nil && !d.OK {
				return silent(exitFailed)
			}
			return err
		},
	}
	server.define(cmd.Flags())
	defineSwitch(cmd.Flags(), &asJSON, "json", "print JSON")
	return cmd
}

// diagnosis is what doctor found.
type diagnosis struct {
	OK     bool                   `json:"ok"`
	Server string                 `json:"server"`
	Steps  []agentproto.CheckStep `json:"serverSteps"`
	Broker []agentproto.CheckStep `json:"brokerSteps"`
}

func (p *program) examine(cmd *cobra.Command, dir home.Dir, server serverFlags) (d diagnosis, err error) {
	identity, err := agentproto.ReadIdentity(dir.Identity())
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist) && server.url != "":
	case errors.Is(err, fs.ErrNotExist):
		return d, fail(exitNotRunning,
			"Give the server's address to check the way to it: emqxee-agent doctor --url https://…",
			"the agent is not registered")
	default:
		return d, err
	}
	if server.url != "" {
		identity.Server = server.url
	}
	if len(server.pins) > 0 {
		identity.CASHA256 = server.pins
	}
	if err := server.orStored(dir); err != nil {
		return d, err
	}
	config, err := p.agentConfig(identity, server)
	if err != nil {
		return d, err
	}
	broker, err := agent.LoadBroker(string(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	d = diagnosis{
		OK: true, Server: identity.Server,
		Steps:  agentproto.Check(cmd.Context(), config),
		Broker: agent.CheckBroker(cmd.Context(), broker),
	}
	if len(identity.Key) == 0 && !broker.HasCredentials() {
		notAskedForYet(d.Broker)
	}
	for _, s := range append(append([]agentproto.CheckStep{}, d.Steps...), d.Broker...) {
		d.OK = d.OK && s.OK
	}
	return d, cmd.Context().Err()
}

// notAskedForYet takes the login out of the steps of an agent that is not registered:
// nobody has given it credentials, and register looks for some.
func notAskedForYet(steps []agentproto.CheckStep) {
	for i, s := range steps {
		if s.Name == agent.StepLogin && !s.OK {
			steps[i] = agentproto.CheckStep{Name: s.Name, OK: true,
				Detail: "not tried: the agent has no credentials yet, register looks for some"}
		}
	}
}

// agentConfig is what the agent would connect with; flags win over what is stored.
func (p *program) agentConfig(identity agentproto.Identity, flags serverFlags) (agentproto.AgentConfig, error) {
	proxy, err := flags.proxyFunc()
	if err != nil {
		return agentproto.AgentConfig{}, err
	}
	return agentproto.AgentConfig{
		Identity: identity, Instance: "command", Hello: hello,
		Tunnel: agentproto.TunnelMode(cmp.Or(flags.tunnel, string(agentproto.TunnelAuto))),
		Proxy:  proxy, BuildTime: thisBuild().Built, Logger: slog.New(slog.DiscardHandler),
	}, nil
}

// printDiagnosis prints one line a step, and below the steps that fail what to do.
func printDiagnosis(w io.Writer, d diagnosis) {
	for _, part := range []struct {
		title string
		steps []agentproto.CheckStep
	}{{"The way to " + d.Server, d.Steps}, {"The way to EMQX", d.Broker}} {
		fmt.Fprintln(w, part.title)
		for _, s := range part.steps {
			mark, text := "ok  ", s.Detail
			switch {
			case s.OK:
			case s.Err == "":
				mark = "-   " // not tried
			default:
				mark, text = "FAIL", s.Err
			}
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %s  %-18s %s", mark, s.Name, text), " "))
			if s.Hint != "" {
				fmt.Fprintf(w, "        %-18s what to do: %s\n", "", s.Hint)
			}
		}
	}
}
