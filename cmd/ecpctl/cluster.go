package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

func clusterCommand(a *app) *cobra.Command {
	cmd := grouped("cluster", "list, make, change and explain clusters", "  ecpctl cluster list -w",
		listCommand(a, clusterKind,
			"  ecpctl cluster list --state running --sort -createdAt\n  ecpctl cluster list -w"),
		getCommand(a, clusterKind, "  ecpctl cluster get sensors\n  ecpctl cluster get sensors -o yaml"),
		createCommand(a), updateCommand(a), editCommand(a), adoptCommand(a), setupCommand(a), explainCommand(a),
		statsCommand(a), metricsCommand(a), logsCommand(a), dashboardCommand(a), apiCommand(a), settingsCommand(a))
	for _, v := range verbs {
		cmd.AddCommand(verbCommand(a, v))
	}
	for _, k := range listings {
		cmd.AddCommand(ofCluster(a, k))
	}
	cmd.Aliases = []string{"clusters"}
	return cmd
}

// creation is what the flags say of a new cluster.
type creation struct {
	spec          map[string]*string
	description   string
	adopted       bool
	nodes, booked int
	fields        fields
	doing         doing
}

func createCommand(a *app) *cobra.Command {
	n := creation{spec: map[string]*string{}}
	cmd := &cobra.Command{
		Use: "create NAME", Short: "make a cluster", Args: takes(1, 1),
		Example: "  ecpctl cluster create sensors --nodes 3 --size 2C4G --connections 1000\n" +
			"  ecpctl cluster create plant --adopted --service-address https://plant.example.com:18084",
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := n.body(a, cmd, args[0])
			if err != nil {
				return err
			}
			return a.create(cmd.Context(), body, n.doing)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&n.nodes, "nodes", 3, "number of nodes")
	flags.IntVar(&n.booked, "connections", 1000, "connections to book in the pool")
	for name, usage := range map[string]string{
		"image": "image; the default one when left out", "size": "size of the nodes; the default one when left out",
		"target": "Kubernetes target; default when left out", "storage": "storage class",
		"network": "ClusterIP, NodePort or LoadBalancer", "service-address": "dashboard of an adopted cluster",
	} {
		n.spec[name] = flags.String(name, "", usage)
	}
	flags.StringVar(&n.description, "description", "", "what it is for")
	flags.BoolVar(&n.adopted, "adopted", false, "a cluster that is there already and has an agent; see cluster adopt")
	flags.StringArrayVar(&n.fields.sets, "set", nil, "further fields, such as spec.config.mqtt.max_packet_size=2MB")
	n.doing.define(cmd, "", "")
	for name, of := range map[string]string{"image": "image", "size": "size", "target": "target"} {
		_ = cmd.RegisterFlagCompletionFunc(name, a.names(kindOf(of)))
	}
	return cmd
}

// body is the body of the request that makes the cluster.
func (n *creation) body(a *app, cmd *cobra.Command, name string) (map[string]any, error) {
	one, err := a.here()
	if err != nil {
		return nil, err
	}
	body := map[string]any{"mode": string(ecp.Hosted), "name": name, "project": one.Project,
		"description": n.description}
	spec := map[string]any{}
	if !n.adopted {
		spec["nodes"], spec["connections"] = n.nodes, n.booked
	} else {
		body["mode"] = string(ecp.Adopted)
		if cmd.Flags().Changed("connections") {
			spec["connections"] = n.booked
		}
	}
	for name, value := range n.spec {
		switch {
		case *value == "":
		case name == "network":
			spec["network"] = map[string]any{"type": *value}
		case name == "service-address":
			spec["serviceAddress"] = *value
		default:
			spec[name] = *value
		}
	}
	body["spec"] = spec
	for _, name := range []string{"project", "description"} {
		if body[name] == "" {
			delete(body, name)
		}
	}
	return body, n.fields.into(cmd.Context(), a, clusterKind, body)
}

// create makes a cluster and waits until it runs.
func (a *app) create(ctx context.Context, body map[string]any, d doing) error {
	c, _, err := a.client()
	if err != nil {
		return err
	}
	r := client.Request{Method: http.MethodPost, Path: client.ClustersPath, Body: body}
	if d.dryRun {
		r.Query = url.Values{"dryRun": {"true"}}
		var plan ecp.Plan
		if _, err := c.Do(ctx, r, &plan); err != nil {
			return err
		}
		return a.printPlan(plan, objectOf(body))
	}
	var made object
	answer, err := c.Do(ctx, r, &made)
	if err != nil {
		return err
	}
	name := made.text("name")
	a.tell("%s is %s", name, made.text("id"))
	if answer.Operation == "" {
		if a.flags.output == "" {
			return nil
		}
		return a.printOne(clusterKind, made)
	}
	o, err := c.Operation(ctx, ecp.OperationID(answer.Operation))
	if err != nil {
		return err
	}
	return a.follow(ctx, c, o, name, d.noWait)
}

func updateCommand(a *app) *cobra.Command {
	var f fields
	var d doing
	cmd := &cobra.Command{
		Use: "update CLUSTER", Short: "change fields of a cluster", Args: takes(1, 1),
		Long: "update changes fields of name, description and spec as one operation. A value is YAML; null removes.",
		Example: "  ecpctl cluster update sensors --set name=sensors-2\n" +
			"  ecpctl cluster update sensors --set spec.nodes=5 --set spec.config.mqtt.max_packet_size=2MB",
		ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			patch := map[string]any{}
			if err := f.into(cmd.Context(), a, clusterKind, patch); err != nil {
				return err
			}
			if len(patch) == 0 {
				return usagef("--set says what is changed")
			}
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.change(cmd.Context(), c, o, client.Change{Body: patch, Now: d.now}, d, false)
		},
	}
	cmd.Flags().StringArrayVar(&f.sets, "set", nil, "FIELD=VALUE")
	d.define(cmd, "", nowText)
	return cmd
}

// ofCluster lists something of one cluster.
func ofCluster(a *app, k kind) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use: k.words[0] + " CLUSTER", Short: k.short, Args: takes(1, 1),
		Example:           "  ecpctl cluster " + k.words[0] + " sensors",
		ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			path := clusterKind.item(o.text("id")) + "/" + k.words[0]
			if l.watch {
				return a.watchOf(cmd.Context(), c, k, o.text("id"), path)
			}
			return a.list(cmd.Context(), c, k, path, l.values(), l.most)
		},
	}
	l.define(cmd, k, k.lists)
	return cmd
}

// reading shows what one path of a cluster answers with.
func reading(a *app, name, short string, text func(*app, object, object) error) *cobra.Command {
	return &cobra.Command{
		Use: name + " CLUSTER", Short: short, Args: takes(1, 1), Example: "  ecpctl cluster " + name + " sensors",
		ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			var answer object
			if err := get(cmd.Context(), c, clusterKind.item(o.text("id"))+"/"+name, &answer); err != nil {
				return err
			}
			return a.printAnswer("state", answer, func() error { return text(a, o, answer) })
		},
	}
}

func explainCommand(a *app) *cobra.Command {
	return reading(a, "explain", "say why a cluster is in its state, what it waits for and what can be done", explain)
}

// explained is what the API explains of a cluster.
type explained struct {
	State                                                ecp.State
	Label                                                ecp.Label
	Reason, Message, StaleMessage, WaitsFor, Rule, Since string
	Stale                                                bool
	Differs                                              []ecp.Condition
	Legal                                                []string
	Nodes                                                []client.Node
	Advice                                               []struct{ Reason, Do string }
	Operation                                            *ecp.Operation
}

func explain(a *app, o, answer object) error {
	var e explained
	if err := answer.decode(&e); err != nil {
		return err
	}
	label := a.stateName(e.State)
	line := func(head, text string) {
		if text != "" {
			fmt.Fprintf(a.out, "%s  %s\n", pad(head, 10), text)
		}
	}
	line("cluster", o.text("name")+" ("+o.text("id")+")")
	line("state", label+" for "+ago(a, answer, "since"))
	line("reason", named(a, reasonsZH, ecp.Reason(e.Reason)))
	line("message", e.Message)
	if e.Stale {
		line("stale", "nothing can be seen at present: "+e.StaleMessage)
	}
	line("rule", e.Rule)
	line("waits for", e.WaitsFor)
	if e.Operation != nil {
		line("operation", string(e.Operation.ID)+" "+named(a, kindsZH, e.Operation.Kind))
	}
	for _, c := range e.Differs {
		why := strings.TrimSpace(named(a, reasonsZH, c.Reason) + " " + c.Message)
		line("not true", fmt.Sprintf("%s is %s: %s", c.Type, c.Status, why))
	}
	for _, n := range e.Nodes {
		line("not ready", strings.TrimSpace(n.Name+" "+named(a, reasonsZH, ecp.Reason(n.Reason))+" "+n.Message))
	}
	for _, one := range e.Advice {
		line("to do", one.Do)
	}
	line("takes", strings.Join(e.Legal, ", "))
	return nil
}

func dashboardCommand(a *app) *cobra.Command {
	var via string
	cmd := &cobra.Command{
		Use: "dashboard CLUSTER", Short: "print a link to a cluster's dashboard; it is good once, for a minute",
		Args: takes(1, 1), Example: "  xdg-open \"$(ecpctl cluster dashboard sensors)\"",
		ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			var link object
			query := url.Values{}
			if via != "" {
				query.Set("via", via)
			}
			r := client.Request{Method: http.MethodPost, Path: clusterKind.item(o.text("id")) + "/dashboard",
				Query: query, Keyless: true}
			if _, err := c.Do(cmd.Context(), r, &link); err != nil {
				return err
			}
			return a.printAnswer("url", link, func() error {
				_, err := fmt.Fprintln(a.out, link.text("url"))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&via, "via", "",
		"way to take: serviceAddress, agent or target; what fits the cluster when left out")
	_ = cmd.RegisterFlagCompletionFunc("via", cobra.FixedCompletions(
		[]string{"serviceAddress", "agent", "target"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
