package main

import (
	"fmt"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

var driftKind = kind{words: []string{"setting"}, key: "key", columns: []column{
	{head: "KEY", path: "key"}, {head: "KIND", path: "kind"}, {head: "WANTED", path: "wanted", show: wantedValue},
	{head: "FOUND", path: "nodes", show: foundValues}, {head: "SOURCE", path: "source", wide: true},
	{head: "NOT PUT BACK", path: "noPutBack", wide: true}, {head: "NOT TAKEN OVER", path: "noTakeOver", wide: true},
}}

func settingsCommand(a *app) *cobra.Command {
	return grouped("settings", "settings that EMQX runs with in another way than asked for",
		"  ecpctl cluster settings drift sensors", driftCommand(a),
		endDrift(a, "put-back", "tell EMQX the settings of the spec again; no node is replaced", false),
		endDrift(a, "take-over", "put the settings into the spec that EMQX runs with", true))
}

func driftCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "drift CLUSTER", Short: "list the settings that nodes run with in another way than asked for",
		Long: "drift asks the nodes of a hosted cluster. A setting that differs was changed in the dashboard or by\n" +
			"the API of EMQX. One that lingers is not asked for any more, and EMQX keeps it; an unasked one never\n" +
			"was. With -o json, yaml and jsonpath= the answer also names the nodes that did not tell.",
		Args: takes(1, 1), Example: "  ecpctl cluster settings drift sensors -o wide",
		ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			var answer object
			if err := get(cmd.Context(), c, clusterKind.item(o.text("id"))+"/settings/drift", &answer); err != nil {
				return err
			}
			return a.printDrift(answer)
		},
	}
}

// printDrift prints settings as rows, or the whole answer where programs read it.
func (a *app) printDrift(answer object) error {
	p, err := a.printer(driftKind)
	if err != nil {
		return err
	}
	switch p.form.name {
	case formJSON, formYAML, formPath:
		return a.printOne(kind{key: "key"}, answer)
	}
	settings, _ := answer.at("settings").([]any)
	for _, one := range settings {
		fields, _ := one.(map[string]any)
		if err := p.add(objectOf(fields)); err != nil {
			return err
		}
	}
	if err := p.end(); err != nil {
		return err
	}
	if silent := answer.text("unanswered"); silent != "" {
		a.tell("not asked, because they do not answer: %s", silent)
	}
	if changing, _ := answer.at("changing").(bool); changing {
		a.tell("an operation runs: nodes may differ until it has ended")
	}
	return nil
}

// wantedValue shows the value that is asked for.
func wantedValue(_ *app, o object, path string) string {
	switch secret, _ := o.at("secret").(bool); {
	case secret:
		return "(not shown)"
	case o.at(path) == nil:
		return "-"
	}
	return o.text(path)
}

// foundValues shows the values of the nodes that differ, each once.
func foundValues(_ *app, o object, path string) string {
	nodes, _ := o.at(path).([]any)
	var out []string
	seen := map[string]bool{}
	for _, n := range nodes {
		fields, _ := n.(map[string]any)
		one := object{fields: fields}
		text := one.text("value")
		if differs, _ := one.at("differs").(bool); !differs || seen[text] {
			continue
		}
		seen[text] = true
		if one.at("value") == nil {
			text = "(not shown)"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// endDrift ends the drift of settings in one of the two ways.
func endDrift(a *app, name, short string, take bool) *cobra.Command {
	var d doing
	cmd := &cobra.Command{
		Use: name + " CLUSTER [KEY...]", Short: short, Args: takes(1, -1),
		Long: strings.ToUpper(short[:1]) + short[1:] + ". Keys are those of drift, or of spec.config;\n" +
			"without one it is done for all settings for which it can be, and the plan says which are left.",
		Example: fmt.Sprintf("  ecpctl cluster settings %s sensors mqtt.max_packet_size", name),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.change(cmd.Context(), c, o, client.EndDrift(take, args[1:]...), d, false)
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return a.names(clusterKind)(cmd, args, begun)
		}
		return a.completeDrift(cmd, args[0], begun), cobra.ShellCompDirectiveNoFileComp
	}
	d.define(cmd, "", "")
	return cmd
}

// completeDrift lists the keys of settings that differ.
func (a *app) completeDrift(cmd *cobra.Command, name, begun string) []string {
	return a.completing(cmd, func() ([]string, error) {
		c, o, err := a.cluster(cmd.Context(), name)
		if err != nil {
			return nil, err
		}
		drift, err := c.SettingsDrift(cmd.Context(), ecp.ID(o.text("id")))
		var out []string
		for _, s := range drift.Settings {
			if strings.HasPrefix(s.Key, begun) {
				out = append(out, s.Key)
			}
		}
		return out, err
	})
}
