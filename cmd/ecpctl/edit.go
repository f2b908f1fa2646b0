package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

func editCommand(a *app) *cobra.Command {
	var d doing
	cmd := &cobra.Command{
		Use: "edit CLUSTER", Short: "change a cluster in $EDITOR", Args: takes(1, 1),
		Long: "edit opens name, description and spec of a cluster in $EDITOR, or vi. What was changed there is\n" +
			"changed as one operation, and lines that were taken away are removed; unless somebody else has\n" +
			"changed the cluster meanwhile.",
		Example: "  EDITOR=nano ecpctl cluster edit sensors", ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			patch, err := a.edited(cmd.Context(), o)
			if err != nil {
				return err
			}
			if len(patch) == 0 {
				a.tell("nothing was changed")
				return nil
			}
			return a.change(cmd.Context(), c, o, client.Change{Body: patch, Now: d.now, If: revision(o)}, d, false)
		},
	}
	d.define(cmd, "", nowText)
	return cmd
}

// edited lets a person edit what can be written of an object, and returns the change.
func (a *app) edited(ctx context.Context, o object) (map[string]any, error) {
	was := map[string]any{}
	for _, f := range clusterKind.fields {
		was[f] = o.fields[f]
	}
	was, err := sameForm(was)
	if err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(was)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("# cluster %s (%s) at revision %d. An empty file changes nothing.\n",
		oneLine(o.text("name")), o.text("id"), revision(o))
	b, err := a.editor(ctx, append([]byte(head), text...))
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return nil, err
	}
	var will map[string]any
	if err := yaml.UnmarshalStrict(b, &will); err != nil {
		return nil, fmt.Errorf("what was edited is not YAML, so nothing is changed: %w", err)
	}
	for field := range will {
		if _, ok := was[field]; !ok {
			return nil, usagef("a cluster has no field %q that can be written", field)
		}
	}
	if will, err = sameForm(will); err != nil || len(will) == 0 {
		return nil, err
	}
	return patchOf(was, will, true), nil
}

// editor lets a person edit a text.
func (a *app) editor(ctx context.Context, text []byte) ([]byte, error) {
	dir, err := os.MkdirTemp("", "ecpctl-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // nothing in it is of use to anybody
	name := filepath.Join(dir, "edit.yaml")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return nil, err
	}
	words := strings.Fields(a.env("EDITOR"))
	if len(words) == 0 {
		words = []string{"vi"}
	}
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], name)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.err
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run the editor %s: %w", words[0], err)
	}
	return os.ReadFile(name)
}
