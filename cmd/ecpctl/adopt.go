package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

// guide is how an agent is brought to run.
type guide struct {
	Steps []struct {
		Number      int
		Title, Text ecp.Label
		Command     string
	}
	Manifest string
}

func adoptCommand(a *app) *cobra.Command {
	var s setupFlags
	var noWait bool
	var service string
	cmd := &cobra.Command{
		Use: "adopt NAME", Short: "print the commands that bring an agent to run beside a cluster, and wait for it",
		Long: "adopt records a cluster that somebody else runs, unless there is one of that name, and prints the\n" +
			"commands to run on the host of its broker. They hold a token that is good for this cluster only, and\n" +
			"for a while. Then it waits until the agent has registered and the cluster is running.",
		Example: "  ecpctl cluster adopt plant --arch arm64\n" +
			"  ecpctl cluster adopt plant --method kubernetes --no-wait",
		Args: takes(1, 1), ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.adopt(cmd.Context(), args[0], service, s.body(), noWait)
		},
	}
	s.define(cmd)
	cmd.Flags().StringVar(&service, "service-address", "",
		"dashboard of the cluster, https://HOST:PORT, if it is made now")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for the agent")
	return cmd
}

func (a *app) adopt(ctx context.Context, name, service string, setup map[string]any, noWait bool) error {
	c, one, err := a.client()
	if err != nil {
		return err
	}
	m := manifest{kind: clusterKind, where: name, fields: map[string]any{"name": name, "id": name}}
	o, err := a.current(ctx, c, m, m.projectOf(one.Project))
	if err != nil {
		return err
	}
	if o == nil {
		if o, err = a.record(ctx, c, name, service, one.Project); err != nil {
			return err
		}
	}
	if err := a.setup(ctx, c, o.text("id"), setup); err != nil {
		return err
	}
	if noWait {
		return nil
	}
	a.tell("waiting until the agent has registered; Ctrl-C ends the waiting only")
	if err := waitFor(ctx, c, o.text("id"), string(ecp.Running)); err != nil {
		return err
	}
	a.tell("%s is running", name)
	return nil
}

// record makes the record of an adopted cluster.
func (a *app) record(ctx context.Context, c *client.Client, name, service, project string) (*object, error) {
	body := map[string]any{"mode": ecp.Adopted, "name": name, "spec": map[string]any{}}
	if service != "" {
		body["spec"] = map[string]any{"serviceAddress": service}
	}
	if project != "" {
		body["project"] = project
	}
	var o object
	_, err := c.Do(ctx, client.Request{Method: http.MethodPost, Path: client.ClustersPath, Body: body}, &o)
	if err == nil {
		a.tell("%s is %s", name, o.text("id"))
	}
	return &o, err
}

// printGuide prints steps as a script whose comments say what they do.
func (a *app) printGuide(g guide) {
	for _, s := range g.Steps {
		title, text := s.Title.EN, s.Text.EN
		if a.flags.lang == chinese {
			title, text = s.Title.ZH, s.Text.ZH
		}
		fmt.Fprintf(a.out, "# %d. %s\n", s.Number, title)
		for line := range strings.Lines(strings.TrimSpace(text)) {
			fmt.Fprintln(a.out, "# "+strings.TrimRight(line, "\n"))
		}
		fmt.Fprintln(a.out, s.Command)
	}
	if g.Manifest != "" {
		fmt.Fprintln(a.out, g.Manifest)
	}
}
