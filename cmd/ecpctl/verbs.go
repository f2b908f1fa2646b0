package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

// verb is something that can be asked of a cluster.
type verb struct {
	name, argument, short, example string
	// body makes the body of the request of the argument; nil = the verb has none.
	body       func(argument string) (any, error)
	calm       bool   // no client and no data is at risk, so that nobody is asked
	force, now string // what the flags do; empty = it has none
}

const nowText = "do not wait for the maintenance window"

// word makes the body of a verb whose argument is a text.
func word(field string) func(string) (any, error) {
	return func(text string) (any, error) { return map[string]any{field: text}, nil }
}

// number makes the body of a verb whose argument is a number.
func number(field string) func(string) (any, error) {
	return func(text string) (any, error) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, usagef("%s is a whole number, not %q", strings.ToUpper(field), text)
		}
		return map[string]any{field: n}, nil
	}
}

var verbs = []verb{
	{name: "start", short: "let the nodes of a stopped cluster run again", example: "sensors", calm: true},
	{name: "stop", short: "take all nodes away and keep the data", example: "sensors --yes"},
	{name: "restart", short: "replace the nodes one after the other", example: "sensors", now: nowText},
	{name: "scale", argument: "NODES", short: "change the number of nodes", example: "sensors 5",
		body: number("nodes")},
	{name: "resize", argument: "SIZE", short: "change the size of the nodes", example: "sensors 2C4G",
		body: word("size"),
		now:  nowText},
	{name: "image", argument: "IMAGE", short: "change to another image, and so to another version",
		example: "sensors emqx-ee-5.8.9", body: word("image"), now: nowText},
	{name: "connections", argument: "CONNECTIONS", short: "change how many connections are booked",
		example: "sensors 5000", body: number("connections"), now: nowText},
	{name: "network", argument: "TYPE", short: "change how clients reach it: ClusterIP, NodePort or LoadBalancer",
		example: "sensors NodePort", body: word("type")},
	{name: "transfer", argument: "ORG/PROJECT", short: "move a cluster to another project; nothing restarts",
		example: "sensors acme/shops", body: word("project")},
	{name: "repair", short: "apply the spec again and accept what was lost", example: "sensors",
		force: "delete the pods of machines that do not answer now, too"},
	{name: "take-over", short: "record what is there of a cluster whose record is older", example: "sensors"},
	{name: "put-back", short: "make what is there what is recorded, after an older database was put back",
		example: "sensors --dry-run"},
	{name: "delete", short: "delete a cluster with its data", example: "sensors --yes",
		force: "do not wait for nodes to stop, or for agents"},
}

// doing says how a change is gone about.
type doing struct {
	yes, dryRun, noWait bool
	force, now          bool
	lostVolumes         bool
}

func (d *doing) define(cmd *cobra.Command, force, now string) {
	flags := cmd.Flags()
	flags.BoolVarP(&d.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&d.dryRun, "dry-run", false, "only show the plan")
	flags.BoolVar(&d.noWait, "no-wait", false, "print the operation's id and do not wait for its end")
	if force != "" {
		flags.BoolVar(&d.force, "force", false, force)
	}
	if now != "" {
		flags.BoolVar(&d.now, "now", false, now)
	}
}

// verbCommand asks one thing of a cluster.
func verbCommand(a *app, v verb) *cobra.Command {
	var d doing
	use, wanted := v.name+" CLUSTER", 1
	if v.argument != "" {
		use, wanted = use+" "+v.argument, 2
	}
	cmd := &cobra.Command{
		Use: use, Short: v.short, Args: takes(wanted, wanted), Example: "  ecpctl cluster " + v.name + " " + v.example,
		RunE: func(cmd *cobra.Command, args []string) error {
			change := client.Change{Verb: v.name, Force: d.force, Now: d.now, LostVolumes: d.lostVolumes}
			if v.name == "delete" {
				change.Verb, change.Delete = "", true
			}
			if v.body != nil {
				body, err := v.body(args[1])
				if err != nil {
					return err
				}
				change.Body = body
			}
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.change(cmd.Context(), c, o, change, d, v.calm)
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		k,
			ok := map[string]kind{"SIZE": kindOf("size"), "IMAGE": kindOf("image"),
			"ORG/PROJECT": kindOf(kindProject)}[v.argument]
		switch {
		case len(args) == 0:
			return a.complete(cmd, clusterKind, begun), cobra.ShellCompDirectiveNoFileComp
		case len(args) == 1 && ok:
			return a.complete(cmd, k, begun), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	d.define(cmd, v.force, v.now)
	if v.name == "repair" {
		cmd.Flags().BoolVar(&d.lostVolumes, "lost-volumes", false, "delete volumes that are on machines which "+
			"have been removed, and what only they held, too")
	}
	return cmd
}

// kindOf returns the kind of a name.
func kindOf(name string) kind {
	for _, k := range append(resources, clusterKind) {
		if k.name == name {
			return k
		}
	}
	return kind{}
}

// change shows what a change would do, asks, has it done and waits for its end.
func (a *app) change(ctx context.Context, c *client.Client, o object, change client.Change, d doing, calm bool) error {
	id := ecp.ID(o.text("id"))
	plan, err := c.Plan(ctx, id, change)
	if err != nil {
		return err
	}
	if d.dryRun {
		return a.printPlan(plan, o)
	}
	if plan.Nothing {
		a.tell("nothing to do: %s is as asked for", o.text("name"))
		return nil
	}
	a.tellPlan(plan, o)
	if !calm && !d.yes {
		if err := a.ask(ctx, askGoOn); err != nil {
			return err
		}
	}
	change.IfPlan = plan.Hash
	operation, err := c.Change(ctx, id, change)
	if err != nil {
		return err
	}
	if operation.ID == "" {
		a.tell("done: %s of %s", plan.Command, o.text("name"))
		return nil
	}
	return a.follow(ctx, c, operation, o.text("name"), d.noWait)
}

// printPlan prints a plan as the answer of a command.
func (a *app) printPlan(plan ecp.Plan, o object) error {
	fields, err := fieldsOf(plan)
	if err != nil {
		return err
	}
	return a.printAnswer("hash", objectOf(fields), func() error {
		_, err := fmt.Fprint(a.out, a.planText(plan, o.text("name")))
		return err
	})
}

func (a *app) tellPlan(plan ecp.Plan, o object) { fmt.Fprint(a.err, a.planText(plan, o.text("name"))) }

// planText is a plan for people.
func (a *app) planText(p ecp.Plan, name string) string {
	var b strings.Builder
	line := func(format string, v ...any) { fmt.Fprintf(&b, "  "+format+"\n", v...) }
	fmt.Fprintf(&b, "%s of %s: %s -> %s\n", p.Command, name, a.orNew(p.From), a.stateName(p.To))
	if p.Nothing {
		line("nothing to do")
		return b.String()
	}
	nodesLine := func(what string, n ecp.PlannedNodes) {
		for _, row := range []struct {
			how   string
			nodes []int
		}{{"replaced", n.Replaced}, {"resized", n.Resized}, {"added", n.Added}, {"removed", n.Removed},
			{"stopped", n.Stopped}} {
			if len(row.nodes) > 0 {
				line("%s %s: %s", what, row.how, strings.Trim(fmt.Sprint(row.nodes), "[]"))
			}
		}
	}
	nodesLine("nodes", p.Nodes)
	if p.Replicants != nil {
		nodesLine("replicants", *p.Replicants)
	}
	line("clients: %d moved, %d cut", p.Clients.Moved, p.Clients.Cut)
	if p.Quota.Was != p.Quota.Will {
		line("booked connections: %d -> %d", p.Quota.Was, p.Quota.Will)
	}
	if !p.Begins.IsZero() {
		line("begins at %s", p.Begins.Local().Format("2006-01-02 15:04"))
	}
	if p.Seconds > 0 {
		line("moving clients takes %d s or more", p.Seconds)
	}
	for _, note := range p.Notes {
		line("%s", note)
	}
	return b.String()
}

func (a *app) orNew(s ecp.State) string {
	if s == "" {
		return "new"
	}
	return a.stateName(s)
}
