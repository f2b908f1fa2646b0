package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

func overviewCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "overview", Short: "sum up the clusters that you may read, or those of a project", Args: takes(0, 0),
		Example: "  ecpctl overview\n  ecpctl overview -p acme/shops -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, one, err := a.client()
			if err != nil {
				return err
			}
			path := "/api/v1/overview"
			if one.Project != "" {
				path = kindOf(kindProject).item(one.Project) + "/overview"
			}
			var o object
			if err := get(cmd.Context(), c, path, &o); err != nil {
				return err
			}
			return a.printAnswer("clusters", o, func() error {
				a.printOverview(o)
				return nil
			})
		},
	}
}

// printOverview prints sums, and of which clusters they are not known.
func (a *app) printOverview(o object) {
	line := func(head, format string, v ...any) { fmt.Fprintln(a.out, pad(head, 12)+"  "+fmt.Sprintf(format, v...)) }
	unknown := func(path string) string {
		if n := o.text(path); n != "" && n != "0" {
			return "; not known of " + n + " clusters"
		}
		return ""
	}
	line("clusters", "%s", o.text("clusters"))
	for _, mode := range []ecp.Mode{ecp.Hosted, ecp.Adopted} {
		if text := a.states(mode, o); text != "" {
			line("  "+string(mode), "%s", text)
		}
	}
	if n := o.text("stale"); n != "0" {
		line("  stale", "%s could not be looked at when it was last tried", n)
	}
	if versions, _ := o.at("versions").(map[string]any); len(versions) > 0 {
		var out []string
		for _, v := range slices.Sorted(maps.Keys(versions)) {
			name := v
			if name == "" {
				name = "not told yet"
			}
			out = append(out, textOf(versions[v])+" "+name)
		}
		line("versions", "%s", strings.Join(out, ", "))
	}
	line("nodes", "%s, %s running%s", o.text("nodes.total"), o.text("nodes.running"), unknown("nodes.unknown"))
	line("connections", "%s live, %s booked%s", o.text("connections.live"), o.text("connections.booked"),
		unknown("connections.ofLive.unknown"))
	line("rules", "%s running, %s stopped%s", o.text("rules.running"), o.text("rules.stopped"),
		unknown("rules.unknown"))
	line("connectors", "%s connected, %s disconnected, %s stopped%s", o.text("connectors.connected"),
		o.text("connectors.disconnected"), o.text("connectors.stopped"), unknown("connectors.unknown"))
	line("alarms", "%s active%s", o.text("alarms.active"), unknown("alarms.unknown"))
	line("agents", "%s connected, %s away", o.text("agents.connected"), o.text("agents.away"))
	missing, _ := o.at("missing").([]any)
	for _, m := range missing {
		fields, _ := m.(map[string]any)
		one := object{fields: fields}
		line("missing", "%s (%s): %s", one.text("name"), one.text("cluster"), oneLine(one.text("why")))
	}
}

// states are how many clusters of a mode are in which state.
func (a *app) states(mode ecp.Mode, o object) string {
	all, _ := o.at("states." + string(mode)).(map[string]any)
	var out []string
	for _, s := range slices.Sorted(maps.Keys(all)) {
		out = append(out, textOf(all[s])+" "+a.stateName(ecp.State(s)))
	}
	return strings.Join(out, ", ")
}

var sampleKind = kind{key: "at", columns: []column{
	{head: "AT", path: "at", show: clock}, {head: "CONNECTIONS", path: "connections"},
	{head: "SESSIONS", path: "sessions"}, {head: "TOPICS", path: "topics"},
	{head: "SUBSCRIPTIONS", path: "subscriptions"}, {head: "RECEIVED", path: "received"}, {head: "SENT", path: "sent"},
	{head: "DROPPED", path: "dropped"},
}}

var statsKind = kind{columns: []column{
	{head: "connections", path: "connections"}, {head: "sessions", path: "sessions"},
	{head: "topics", path: "topics"}, {head: "subscriptions", path: "subscriptions"},
	{head: "retained", path: "retained"}, {head: "received/s", path: "rates.received"},
	{head: "sent/s", path: "rates.sent"}, {head: "dropped/s", path: "rates.dropped"},
	{head: "why no rates", path: "ratesError"},
}}

func statsCommand(a *app) *cobra.Command {
	var window string
	cmd := &cobra.Command{
		Use: "stats CLUSTER", Short: "show how busy a cluster is, and with --window how busy it was", Args: takes(1, 1),
		Example:           "  ecpctl cluster stats sensors\n  ecpctl cluster stats sensors --window 1h",
		ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			r := client.Request{Path: clusterKind.item(o.text("id")) + "/stats"}
			if window != "" {
				r.Query = map[string][]string{"window": {window}}
			}
			var answer object
			if _, err := c.Do(cmd.Context(), r, &answer); err != nil {
				return err
			}
			return a.printAnswer("at", answer, func() error {
				if window == "" {
					return a.printOne(statsKind, answer)
				}
				return a.printSeries(answer)
			})
		},
	}
	cmd.Flags().StringVar(&window, "window", "", "what was counted in the last while, such as 1h; 168h at most")
	return cmd
}

// printSeries prints a row for each sample, and tells of what is missing.
func (a *app) printSeries(answer object) error {
	p, err := a.printer(sampleKind)
	if err != nil {
		return err
	}
	series, _ := answer.at("series").([]any)
	for _, s := range series {
		fields, _ := s.(map[string]any)
		if err := p.add(objectOf(fields)); err != nil {
			return err
		}
	}
	if err := p.end(); err != nil {
		return err
	}
	if why := answer.text("seriesError"); why != "" {
		a.tell("%s", oneLine(why))
	}
	return nil
}
