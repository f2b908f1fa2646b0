package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

var unrecordedKind = kind{
	words: []string{"unrecorded"}, path: "/api/v1/unrecorded-clusters", key: "id",
	columns: []column{
		{head: "ID", path: "id"}, {head: "NAME", path: "name"}, {head: "PROJECT", path: "project"},
		{head: "TARGET", path: "target"}, {head: "NODES", path: "readyNodes", show: over("nodes")},
		{head: "VOLUMES", path: "volumes"}, {head: "TAKE OVER", path: "canTakeOver"}, {head: "WHY NOT", path: "why"},
		{head: "AGE", path: "createdAt", show: ago, wide: true}, {head: "SETTINGS", path: "settings", wide: true},
		{head: "DELETED", path: "deletedAt", show: clock, wide: true},
		{head: "DELETED BY", path: "deletedBy", wide: true}, {head: "RECORDED ON", path: "recordedOn", wide: true},
	},
}

func unrecordedCommand(a *app) *cobra.Command {
	return grouped("unrecorded", "clusters that are there and that no record knows",
		"  ecpctl unrecorded list", unrecordedList(a), unrecordedTakeOver(a), unrecordedDelete(a))
}

func unrecordedList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list clusters that are there and that no record knows", Args: takes(0, 0),
		Long: "list shows what was found on Kubernetes targets without a record: an older database was put back, or\n" +
			"a namespace came back from a backup. It is left alone until somebody takes it over or deletes it.",
		Example: "  ecpctl unrecorded list -o wide",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := a.client()
			if err != nil {
				return err
			}
			p, err := a.printer(unrecordedKind)
			if err != nil {
				return err
			}
			return a.whole(cmd.Context(), c, p, unrecordedKind.path, 0)
		},
	}
}

// unrecordedNames completes the id of an unrecorded cluster.
func (a *app) unrecordedNames(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completing(cmd, func() ([]string, error) {
		c, _, err := a.client()
		if err != nil {
			return nil, err
		}
		return keysOf(cmd.Context(), c, unrecordedKind.path, unrecordedKind.key, begun)
	}), cobra.ShellCompDirectiveNoFileComp
}

// takeOver is what people set for the record of an unrecorded cluster.
type takeOver struct {
	name, target, project string
	settings              []string
}

func (t takeOver) body() (map[string]any, error) {
	body := map[string]any{}
	for field, value := range map[string]string{"name": t.name, "target": t.target, "project": t.project} {
		if value != "" {
			body[field] = value
		}
	}
	config := map[string]string{}
	for _, s := range t.settings {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return nil, usagef("--setting takes KEY=VALUE, not %q", s)
		}
		config[key] = value
	}
	if len(config) > 0 {
		body["config"] = config
	}
	return body, nil
}

func unrecordedTakeOver(a *app) *cobra.Command {
	var t takeOver
	var d doing
	cmd := &cobra.Command{
		Use: "take-over ID", Short: "make a record of a cluster that is there and has none", Args: takes(1, 1),
		Long: "take-over records a cluster from what its objects say they were made from. The id is kept, its\n" +
			"connections are booked, and no node is replaced. -p records it in another project.",
		Example:           "  ecpctl unrecorded take-over emqx-0a1b2c3d --dry-run",
		ValidArgsFunction: a.unrecordedNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("project") {
				t.project = a.flags.project
			}
			body, err := t.body()
			if err != nil {
				return err
			}
			return a.takeOver(cmd.Context(), args[0], body, d)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&t.name, "name", "", "name of the cluster; as its objects say when left out")
	flags.StringVar(&t.target, "target", "", "where it was found; needed where it is on several targets")
	flags.StringArrayVar(&t.settings, "setting", nil, "KEY=VALUE of a setting that is not kept with its objects")
	d.define(cmd, "", "")
	return cmd
}

func (a *app) takeOver(ctx context.Context, id string, body map[string]any, d doing) error {
	c, _, err := a.client()
	if err != nil {
		return err
	}
	r := client.Request{Method: http.MethodPost, Path: unrecordedKind.item(id) + "/take-over", Body: body,
		Query: url.Values{"dryRun": {"true"}}}
	var plan ecp.Plan
	if _, err := c.Do(ctx, r, &plan); err != nil {
		return err
	}
	if d.dryRun {
		return a.printPlan(plan, objectOf(map[string]any{"name": id}))
	}
	a.tellPlan(plan, objectOf(map[string]any{"name": id}))
	if !d.yes {
		if err := a.ask(ctx, askGoOn); err != nil {
			return err
		}
	}
	r.Query = nil
	var made object
	answer, err := c.Do(ctx, r, &made)
	if err != nil {
		return err
	}
	a.tell("recorded %s as %s in %s", id, made.text("name"), made.text("project"))
	if answer.Operation == "" {
		return nil
	}
	o, err := c.Operation(ctx, ecp.OperationID(answer.Operation))
	if err != nil {
		return err
	}
	return a.follow(ctx, c, o, made.text("name"), d.noWait)
}

func unrecordedDelete(a *app) *cobra.Command {
	var target string
	var yes bool
	cmd := &cobra.Command{
		Use: "delete ID NAME", Short: "delete a cluster that no record knows, with its data", Args: takes(2, 2),
		Long: "delete wants the id and the name that its objects have, so that nothing is deleted by a slip; one\n" +
			"without a name has its id for it. It goes on after the answer.",
		Example: "  ecpctl unrecorded delete emqx-0a1b2c3d orders", ValidArgsFunction: a.unrecordedNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := a.client()
			if err != nil {
				return err
			}
			if !yes {
				if err := a.ask(cmd.Context(), askDeleteData, args[0], args[1]); err != nil {
					return err
				}
			}
			r := client.Request{Method: http.MethodDelete, Path: unrecordedKind.item(args[0]),
				Query: url.Values{"name": {args[1]}}}
			if target != "" {
				r.Query.Set("target", target)
			}
			if _, err := c.Do(cmd.Context(), r, nil); err != nil {
				return err
			}
			a.tell("deleting %s", args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&target, "target", "", "where it was found; needed where it is on several targets")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}
