package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/spf13/cobra"
)

// tenants are the kinds that have a command of their own; the others are below catalog.
var tenants = []string{"org", kindProject, kindUser, kindToken}

// resourceCommands are the commands of all kinds that are handled alike.
func resourceCommands(a *app) []*cobra.Command {
	catalog := grouped("catalog", "what clusters are made from: images, sizes, licenses and the like",
		"  ecpctl catalog image list")
	out := []*cobra.Command{catalog, poolCommand(a), auditCommand(a), agentCommand(a)}
	for _, k := range resources {
		path := "ecpctl " + k.words[0]
		if !slices.Contains(tenants, k.name) {
			path = "ecpctl catalog " + k.words[0]
		}
		cmd := grouped(k.words[0], k.short, "  "+path+" list",
			listCommand(a, k, "  "+path+" list"), getCommand(a, k, "  "+path+" get NAME -o yaml"),
			makeCommand(a, k, path), removeCommand(a, k, path))
		cmd.Aliases = k.words[1:]
		if k.name != kindToken {
			cmd.AddCommand(patchCommand(a, k, path))
		}
		switch k.name {
		case "org", kindProject:
			cmd.AddCommand(quotaCommand(a, k, path))
		case kindUser:
			cmd.AddCommand(unlockCommand(a))
		case "target":
			cmd.AddCommand(acceptCommand(a))
		}
		if slices.Contains(tenants, k.name) {
			out = append(out, cmd)
		} else {
			catalog.AddCommand(cmd)
		}
	}
	return out
}

// defineFields adds the flags that fields are given with.
func defineFields(cmd *cobra.Command, k kind, f *fields) {
	flags := cmd.Flags()
	var names []string
	for _, name := range k.fields {
		if !slices.Contains(k.hidden, name) && name != k.key {
			names = append(names, name)
		}
	}
	flags.StringArrayVar(&f.sets, "set", nil, "FIELD=VALUE, value in YAML; fields are "+strings.Join(names, ", "))
	if len(k.hidden) > 0 {
		flags.StringArrayVar(&f.secrets, "secret", nil,
			"FIELD=FILE, or FIELD=- for a line that is typed or in stdin, such as "+strings.Join(k.hidden, ", "))
	}
	if k.name == kindUser || k.name == kindToken {
		flags.StringArrayVar(&f.roles, "role", nil,
			"ROLE:ORG/PROJECT, ROLE:ORG or ROLE, such as project-admin:acme/shops")
	}
}

func makeCommand(a *app, k kind, path string) *cobra.Command {
	var f fields
	cmd := &cobra.Command{
		Use: "create NAME", Short: "add to the " + k.short, Args: takes(1, 1),
		Example: "  " + path + " create " + k.create,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := k.key
			if k.called != "" {
				name = k.called
			}
			body := map[string]any{name: args[0]}
			if err := f.into(cmd.Context(), a, k, body); err != nil {
				return err
			}
			c, _, err := a.client()
			if err != nil {
				return err
			}
			var made object
			r := client.Request{Method: http.MethodPost, Path: k.path, Body: body}
			if _, err := c.Do(cmd.Context(), r, &made); err != nil {
				return err
			}
			if secret := made.text("token"); k.name == kindToken && a.forPeople() {
				a.tell("made token %s; this is the only time that it is shown", made.text(k.key))
				fmt.Fprintln(a.out, secret)
				return nil
			}
			return a.made(k, made, "made")
		},
	}
	defineFields(cmd, k, &f)
	return cmd
}

// made tells of something that was made or changed, or prints it in a form that was asked
// for.
func (a *app) made(k kind, o object, what string) error {
	if a.flags.output != "" {
		return a.printOne(k, o)
	}
	a.tell("%s %s %s", what, k.words[0], o.text(k.key))
	return nil
}

func patchCommand(a *app, k kind, path string) *cobra.Command {
	var f fields
	cmd := &cobra.Command{
		Use: "update NAME", Short: "change fields of one of the " + k.short, Args: takes(1, 1),
		Example: "  " + path + " update NAME --set FIELD=VALUE", ValidArgsFunction: a.names(k),
		RunE: func(cmd *cobra.Command, args []string) error {
			patch := map[string]any{}
			if err := f.into(cmd.Context(), a, k, patch); err != nil {
				return err
			}
			if len(patch) == 0 {
				return usagef("--set says what is changed")
			}
			c, one, err := a.client()
			if err != nil {
				return err
			}
			o, err := a.find(cmd.Context(), c, k, args[0], one.Project)
			if err != nil {
				return err
			}
			var changed object
			if _, err := c.Do(cmd.Context(), client.Request{
				Method: http.MethodPatch, Path: k.item(o.text(k.key)), Body: patch, If: revision(o), Keyless: true,
			}, &changed); err != nil {
				return err
			}
			return a.made(k, changed, "changed")
		},
	}
	defineFields(cmd, k, &f)
	return cmd
}

// revision is what a change is decided on; 0 if the thing has none.
func revision(o object) int64 {
	var with struct{ Revision int64 }
	if o.decode(&with) != nil {
		return 0
	}
	return with.Revision
}

func removeCommand(a *app, k kind, path string) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "remove one of the " + k.short, Args: takes(1, 1),
		Example: "  " + path + " delete NAME", ValidArgsFunction: a.names(k),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, one, err := a.client()
			if err != nil {
				return err
			}
			o, err := a.find(cmd.Context(), c, k, args[0], one.Project)
			if err != nil {
				return err
			}
			if !yes {
				if err := a.ask(cmd.Context(), askDelete, k.words[0], args[0]); err != nil {
					return err
				}
			}
			r := client.Request{Method: http.MethodDelete, Path: k.item(o.text(k.key)), If: revision(o)}
			if _, err := c.Do(cmd.Context(), r, nil); err != nil {
				return err
			}
			a.tell("deleted %s %s", k.words[0], args[0])
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

var pool = kind{name: kindPool, words: []string{"pool"}, short: "pool", path: "/api/v1/pool", columns: []column{
	{head: "CONNECTIONS", path: "usedConnections", show: over("connections")},
	{head: "CLUSTERS", path: "usedClusters", show: over("clusters")}, {head: "LARGEST CLUSTER", path: "largestCluster"},
	{head: "EXPIRES", path: "expiresAt", show: clock},
}, fields: []string{"connections", "clusters", "largestCluster", "expiresAt"}}

func poolCommand(a *app) *cobra.Command {
	var f fields
	cmd := &cobra.Command{
		Use: "pool", Short: "show what all clusters book, and what there is; --set changes it", Args: takes(0, 0),
		Example: "  ecpctl pool\n  ecpctl pool --set connections=2000000",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := a.client()
			if err != nil {
				return err
			}
			var o object
			if err := get(cmd.Context(), c, pool.path, &o); err != nil {
				return err
			}
			patch := map[string]any{}
			if err := f.into(cmd.Context(), a, pool, patch); err != nil {
				return err
			}
			if len(patch) > 0 {
				r := client.Request{Method: http.MethodPatch, Path: pool.path, Body: patch, If: revision(o),
					Keyless: true}
				if _, err := c.Do(cmd.Context(), r, &o); err != nil {
					return err
				}
			}
			return a.printOne(pool, o)
		},
	}
	defineFields(cmd, pool, &f)
	return cmd
}

func auditCommand(a *app) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use: "audit", Short: "list who changed what, newest first", Args: takes(0, 0),
		Example: "  ecpctl audit --limit 20\n  ecpctl audit --outcome denied --since 2026-01-02T00:00:00Z -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := a.client()
			if err != nil {
				return err
			}
			return a.list(cmd.Context(), c, auditKind, auditKind.path, l.values(), l.most)
		},
	}
	l.define(cmd, auditKind, false)
	cmd.AddCommand(auditExport(a))
	return cmd
}

func auditExport(a *app) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use: "export", Short: "print all of the audit that is selected, an entry of JSON a line, newest first",
		Args: takes(0, 0), Example: "  ecpctl audit export --since 2026-01-01T00:00:00Z >audit.ndjson",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := a.client()
			if err != nil {
				return err
			}
			return a.stream(cmd.Context(), c, client.Request{Path: auditKind.path + "/export", Query: l.values()})
		},
	}
	l.filters(cmd, auditKind)
	return cmd
}

func agentCommand(a *app) *cobra.Command {
	list := ofCluster(a, agentKind)
	list.Use, list.Example = "list CLUSTER", "  ecpctl agent list plant\n  ecpctl agent list plant -w"
	list.Long = "list shows the agents of an adopted cluster. With -w it is read again whenever the cluster or an\n" +
		"agent of it changes: one whose connection breaks while another keeps the cluster running may be shown late."
	remove := removal{
		verb: "remove", argument: "AGENT", what: "agent", path: "/agents", done: "removed", question: askRemoveAgent,
		short: "remove an agent: its key is taken back at once", of: agentKind,
		example: "  ecpctl agent remove plant agt-0123456789abcdef",
	}.command(a)
	return grouped("agent", "list and remove the agents of adopted clusters", "  ecpctl agent list plant", list, remove)
}
