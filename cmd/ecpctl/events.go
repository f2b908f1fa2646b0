package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

var eventKind = kind{key: "seq", columns: []column{
	{head: "SEQ", path: "seq", least: 6}, {head: "AT", path: "at", show: clock, least: 19},
	{head: "KIND", path: "kind", least: 9}, {head: "KEY", path: "key", least: 19},
	{head: "STATE", path: "state", least: 10, show: eventState}, {head: "NAME", path: "object.name", least: 12},
	{head: "PROJECT", path: "project"},
}}

func eventsCommand(a *app) *cobra.Command {
	var since string
	var most int
	cmd := &cobra.Command{
		Use: "events", Short: "follow every change that you may see, until Ctrl-C", Args: takes(0, 0),
		Long: "events prints a line for every change, and goes on where it was when the connection breaks.\n" +
			"With -o json a line is one JSON object.",
		Example: "  ecpctl events\n  ecpctl events --since 0 --limit 20 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, one, err := a.client()
			if err != nil {
				return err
			}
			p, err := a.printer(eventKind)
			if err != nil {
				return err
			}
			p.lines = true
			for e, err := range c.Events(cmd.Context(), client.EventOptions{Project: one.Project, Since: since}) {
				if err != nil {
					return err
				}
				if e.Kind == "" {
					continue
				}
				b, err := json.Marshal(e)
				if err != nil {
					return err
				}
				var o object
				if err := errors.Join(o.UnmarshalJSON(b), p.add(o), p.flush()); err != nil {
					return err
				}
				if p.n == most {
					return nil
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&since, "since", "",
		"number of the last event that was seen; 0 = from the first that is kept")
	cmd.Flags().IntVar(&most, "limit", 0, "end after so many; 0 = never")
	return cmd
}

func waitCommand(a *app) *cobra.Command {
	var until string
	cmd := &cobra.Command{
		Use: "wait CLUSTER --for CONDITION", Short: "wait until a cluster is in a state, or has a condition",
		Long: "wait ends when the cluster is as it is waited for: in a state such as running or stopped, gone,\n" +
			"or with a condition such as Healthy or Settled that is true. --timeout bounds it; then the exit\n" +
			"code is 8.",
		Example:           "  ecpctl wait sensors --for Healthy --timeout 5m\n  ecpctl wait sensors --for gone",
		Args:              takes(1, 1),
		ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return waitFor(cmd.Context(), c, o.text("id"), until)
		},
	}
	cmd.Flags().StringVar(&until, "for", "Healthy", "a state, gone, or a condition")
	return cmd
}

// waitFor returns when a cluster is as it is waited for. It reads the cluster when the
// stream of changes is open, and again with each change of it.
func waitFor(ctx context.Context, c *client.Client, id, until string) error {
	for e, err := range c.Events(ctx, client.EventOptions{}) {
		if err != nil {
			return err
		}
		if e.Kind != "" && e.Key != id {
			continue
		}
		cluster, err := c.Cluster(ctx, ecp.ID(id))
		switch {
		case errors.Is(err, ecp.ErrNotFound) && until == string(ecp.Gone):
			return nil
		case err != nil:
			return err
		case holds(cluster, until):
			return nil
		}
		if err := checkWord(cluster, until); err != nil {
			return err
		}
	}
	return nil
}

// checkWord returns an error for what no cluster of the mode will ever be. Conditions of a newer server
// are known from the cluster itself.
func checkWord(c client.Cluster, word string) error {
	machine := ecp.HostedStates
	if c.Mode == ecp.Adopted {
		machine = ecp.AdoptedStates
	}
	words := []string{string(ecp.Gone)}
	for _, s := range machine.States() {
		words = append(words, string(s))
	}
	for _, one := range c.Status.Conditions {
		words = append(words, string(one.Type))
	}
	if slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) }) {
		return nil
	}
	slices.Sort(words)
	return usagef("--for %q is neither a state nor a condition of %s; it may be one of %s", word, c.Name,
		strings.Join(slices.Compact(words), ", "))
}

// holds reports whether a cluster is in a state or has a condition.
func holds(c client.Cluster, word string) bool {
	if strings.EqualFold(string(c.Status.State), word) {
		return true
	}
	for _, one := range c.Status.Conditions {
		if strings.EqualFold(string(one.Type), word) {
			return one.Status == ecp.True
		}
	}
	return false
}

func logsCommand(a *app) *cobra.Command {
	query := map[string]*string{}
	var follow bool
	cmd := &cobra.Command{
		Use: "logs CLUSTER", Short: "show the newest lines of the logs of a cluster's nodes, or follow them",
		Args:              takes(1, 1),
		Example:           "  ecpctl cluster logs sensors --level warning --limit 50\n  ecpctl cluster logs sensors -f",
		ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			q := url.Values{}
			for name, value := range query {
				if *value != "" {
					q.Set(name, *value)
				}
			}
			return a.logs(cmd.Context(), c, ecp.ID(o.text("id")), q, follow)
		},
	}
	for name, usage := range map[string]string{
		"level": "only lines that are as severe, or more", "q": "only lines with this text",
		"node":  "only of this node",
		"since": "only what is not older, RFC 3339", "until": "only what is older, RFC 3339",
		"limit": "how many lines; 500",
	} {
		query[name] = cmd.Flags().String(name, "", usage)
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is written, until Ctrl-C")
	return cmd
}

// logs prints lines of logs, and with follow what is written from then on.
func (a *app) logs(ctx context.Context, c *client.Client, id ecp.ID, q url.Values, follow bool) error {
	p, err := a.printer(kind{key: "node"})
	if err != nil {
		return err
	}
	p.lines = true
	if follow {
		for l, err := range c.FollowLogs(ctx, id, q) {
			if err != nil {
				return err
			}
			if err := a.printLine(p, l); err != nil {
				return err
			}
		}
		return nil
	}
	lines, err := c.Logs(ctx, id, q)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if err := a.printLine(p, l); err != nil {
			return err
		}
	}
	return nil
}

// printLine prints one line of a log: for people with the host's part of its node's name.
func (a *app) printLine(p *printer, l client.LogLine) error {
	if !a.forPeople() {
		fields, err := fieldsOf(l)
		if err != nil {
			return err
		}
		return p.add(objectOf(fields))
	}
	if l.Why != "" {
		a.tell("%s: %s", l.Node, l.Why)
		return nil
	}
	if l.Raw == "" {
		return nil
	}
	fmt.Fprintln(a.out, nodeName(l.Node)+" "+l.Raw)
	return nil
}

// nodeName shortens the name of an EMQX node to what tells it from the others.
func nodeName(name string) string {
	_, host, ok := strings.Cut(name, "@")
	if !ok {
		return name
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return name
	}
	short, _, _ := strings.Cut(host, ".")
	return short
}

func shortNode(_ *app, o object, path string) string { return nodeName(o.text(path)) }
