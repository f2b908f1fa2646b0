package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// maxManifest bounds what is applied at once, in bytes.
const maxManifest = 16 << 20

// manifest is one document of what is to be.
type manifest struct {
	kind   kind
	where  string // file and number of the document
	fields map[string]any
}

// readManifests reads the documents of files; - is stdin.
func (a *app) readManifests(files []string) ([]manifest, error) {
	if len(files) == 0 {
		return nil, usagef("-f names the files; -f - reads stdin")
	}
	var out []manifest
	for _, name := range files {
		in := a.in
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			in = f
		}
		b, err := io.ReadAll(io.LimitReader(in, maxManifest+1))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if len(b) > maxManifest {
			return nil, usagef("%s is larger than %d MiB", name, maxManifest>>20)
		}
		found, err := parseManifests(name, b)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// parseManifests reads documents with --- between them. JSON is YAML, too.
func parseManifests(name string, b []byte) ([]manifest, error) {
	var out []manifest
	for i, text := range documents(b) {
		where := fmt.Sprintf("%s, document %d", name, i+1)
		var fields map[string]any
		if err := yaml.UnmarshalStrict(text, &fields); err != nil {
			return nil, usagef("%s is not YAML of one thing: %w", where, err)
		}
		if len(fields) == 0 {
			continue
		}
		word, _ := fields["kind"].(string)
		k := kindOf(word)
		if word == kindPool {
			k = pool
		}
		if k.name == "" || k.name == kindToken {
			return nil,
				usagef("%s: kind is %q; it is cluster, pool, or one of the catalogues, organisations and people",
					where, word)
		}
		for field := range fields {
			if field != "kind" && !k.knows(field) {
				return nil, usagef("%s: a %s has no field %q that can be written", where, k.words[0], field)
			}
		}
		out = append(out, manifest{k, where, fields})
	}
	return out, nil
}

// readOnly are fields that get shows and nobody writes: what was got can be applied.
var readOnly = []string{
	"id", "mode", "project", "version", "status", "features", "generation", "revision", "creator", "creatorUser",
	"createdAt", "createdBy", "updatedAt", "passwordSet", "contentSet", "kubeconfigSet", "keySet", "keySha256", "usage",
	"health", "clusters", "builtIn", "unverified", "customer", "expiresAt", "limit", "type", "dnsNames", "ipAddresses",
	"issuer", "notAfter", "notBefore", "sha256", "subjects", "usedConnections", "usedClusters",
}

func (k kind) knows(field string) bool {
	return slices.Contains(k.fields, field) || slices.Contains(readOnly, field)
}

// documents splits a file at the lines ---.
func documents(b []byte) [][]byte {
	var out [][]byte
	var one bytes.Buffer
	lines := bufio.NewReader(bytes.NewReader(b))
	for {
		line, err := lines.ReadBytes('\n')
		if bytes.Equal(bytes.TrimRight(line, " \r\n"), []byte("---")) {
			out = append(out, bytes.Clone(one.Bytes()))
			one.Reset()
		} else {
			one.Write(line)
		}
		if err != nil {
			return append(out, one.Bytes())
		}
	}
}

// text is a field that is one.
func (m manifest) text(field string) string {
	s, _ := m.fields[field].(string)
	return s
}

// wanted are the fields that can be written.
func (m manifest) wanted() map[string]any {
	out := map[string]any{}
	for _, f := range m.kind.fields {
		if v, ok := m.fields[f]; ok {
			out[f] = v
		}
	}
	return out
}

// current returns what there is of a manifest; nil if there is nothing.
func (a *app) current(ctx context.Context, c *client.Client, m manifest, project string) (*object, error) {
	var o object
	var err error
	switch id := m.text("id"); {
	case m.kind.name == kindPool:
		err = get(ctx, c, m.kind.path, &o)
	case m.kind.name != kindCluster:
		if m.text(m.kind.key) == "" {
			return nil, usagef("%s has no %s", m.where, m.kind.key)
		}
		err = get(ctx, c, m.kind.item(m.text(m.kind.key)), &o)
	case clusterID.MatchString(id):
		err = get(ctx, c, m.kind.item(id), &o)
		if errors.Is(err, ecp.ErrNotFound) {
			return nil, fmt.Errorf("%s: there is no cluster %s; without its id it is made anew", m.where, id)
		}
	default:
		return a.namesake(ctx, c, m, project)
	}
	if errors.Is(err, ecp.ErrNotFound) {
		return nil, nil //nolint:nilnil // that there is nothing is an answer
	}
	return &o, err
}

// namesake returns the cluster of a manifest's name and project.
func (a *app) namesake(ctx context.Context, c *client.Client, m manifest, project string) (*object, error) {
	if m.text("name") == "" {
		return nil, usagef("%s has no name", m.where)
	}
	for o, err := range client.List[object](ctx, c, m.kind.path, map[string][]string{
		"q": {m.text("name")}, "project": {project},
	}, 0) {
		if err != nil {
			return nil, err
		}
		if o.text("name") == m.text("name") {
			return &o, nil
		}
	}
	return nil, nil //nolint:nilnil // that there is nothing is an answer
}

// patchOf returns the merge patch that makes from like to. What to does not have stays,
// unless whole is set: then it is removed.
func patchOf(from, to map[string]any, whole bool) map[string]any {
	out := map[string]any{}
	for name, want := range to {
		is, there := from[name]
		wantMap, ok := want.(map[string]any)
		isMap, both := is.(map[string]any)
		switch {
		case ok && (both || !there):
			if inner := patchOf(isMap, wantMap, whole); len(inner) > 0 {
				out[name] = inner
			}
		case want == nil && !there:
		case !reflect.DeepEqual(is, want):
			out[name] = want
		}
	}
	if whole {
		for name := range from {
			if _, ok := to[name]; !ok {
				out[name] = nil
			}
		}
	}
	return out
}

// sameForm returns fields as JSON has them, so that numbers of both sides compare.
func sameForm(fields map[string]any) (map[string]any, error) {
	b, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	err = json.Unmarshal(b, &out)
	return out, err
}

// difference returns the patch of a manifest against what there is.
func (m manifest) difference(o object) (map[string]any, error) {
	from, err := sameForm(o.fields)
	if err != nil {
		return nil, err
	}
	to, err := sameForm(m.wanted())
	return patchOf(from, to, false), err
}

func applyCommand(a *app) *cobra.Command {
	var files []string
	var d doing
	cmd := &cobra.Command{
		Use: "apply -f FILE", Short: "make clusters and catalogues what files say", Args: takes(0, 0),
		Long: "apply takes YAML as get -o yaml prints it, several documents with --- between them. What is not\n" +
			"there is made, what differs is changed, fields that a document does not have stay as they are, and\n" +
			"null removes one. A change of a cluster shows its plan and asks.",
		Example: "  ecpctl cluster get sensors -o yaml >sensors.yaml\n  ecpctl apply -f sensors.yaml\n" +
			"  cat *.yaml | ecpctl apply -f - --yes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := a.readManifests(files)
			if err != nil {
				return err
			}
			c, one, err := a.client()
			if err != nil {
				return err
			}
			for _, m := range all {
				if err := a.apply(cmd.Context(), c, m, one.Project, d); err != nil {
					return fmt.Errorf("%s: %w", m.where, err)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVarP(&files, "filename", "f", nil, "file; - is stdin")
	d.define(cmd, "", nowText)
	return cmd
}

// projectOf is where a manifest's cluster is.
func (m manifest) projectOf(project string) string {
	if p := m.text("project"); p != "" {
		return p
	}
	if project == "" {
		return "default/default"
	}
	return project
}

// apply makes one thing what its manifest says.
func (a *app) apply(ctx context.Context, c *client.Client, m manifest, project string, d doing) error {
	project = m.projectOf(project)
	o, err := a.current(ctx, c, m, project)
	if err != nil {
		return err
	}
	if o == nil {
		return a.applyNew(ctx, c, m, project, d)
	}
	patch, err := m.difference(*o)
	if err != nil {
		return err
	}
	name := m.kind.words[0] + " " + m.title()
	switch {
	case len(patch) == 0:
		a.tell("%s: unchanged", name)
		return nil
	case m.kind.name == kindCluster:
		return a.change(ctx, c, *o, client.Change{Body: patch, Now: d.now, If: revision(*o)}, d, false)
	case d.dryRun:
		a.tell("%s: would be changed", name)
		return nil
	}
	delete(patch, m.kind.key)
	path := m.kind.path
	if m.kind.name != kindPool {
		path = m.kind.item(o.text(m.kind.key))
	}
	_, err = c.Do(ctx, client.Request{
		Method: http.MethodPatch, Path: path, Body: patch, If: revision(*o), Keyless: true}, nil)
	if err == nil {
		a.tell("%s: changed", name)
	}
	return err
}

func (m manifest) title() string {
	for _, field := range []string{m.kind.called, m.kind.key} {
		if text := m.text(field); text != "" {
			return text
		}
	}
	return ""
}

func (a *app) applyNew(ctx context.Context, c *client.Client, m manifest, project string, d doing) error {
	body := m.wanted()
	if m.kind.name == kindCluster {
		mode := m.text("mode")
		if mode == "" {
			mode = string(ecp.Hosted)
		}
		maps.Copy(body, map[string]any{"mode": mode, "project": project})
		if body["spec"] == nil {
			body["spec"] = map[string]any{}
		}
		return a.create(ctx, body, d)
	}
	name := m.kind.words[0] + " " + m.title()
	if d.dryRun {
		a.tell("%s: would be made", name)
		return nil
	}
	_, err := c.Do(ctx, client.Request{Method: http.MethodPost, Path: m.kind.path, Body: body}, nil)
	if err == nil {
		a.tell("%s: made", name)
	}
	return err
}

// errDiffers makes diff end with 1, as diff does.
var errDiffers = errors.New("there are differences")

func diffCommand(a *app) *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use: "diff -f FILE", Short: "show what apply would change; exits with 1 if that is anything", Args: takes(0, 0),
		Example: "  ecpctl diff -f sensors.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := a.readManifests(files)
			if err != nil {
				return err
			}
			c, one, err := a.client()
			if err != nil {
				return err
			}
			differs := false
			for _, m := range all {
				lines, err := a.diff(cmd.Context(), c, m, one.Project)
				if err != nil {
					return fmt.Errorf("%s: %w", m.where, err)
				}
				differs = differs || len(lines) > 0
				for _, l := range lines {
					fmt.Fprintln(a.out, l)
				}
			}
			if differs {
				return errDiffers
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVarP(&files, "filename", "f", nil, "file; - is stdin")
	return cmd
}

// diff returns a line for each field that differs.
func (a *app) diff(ctx context.Context, c *client.Client, m manifest, project string) ([]string, error) {
	o, err := a.current(ctx, c, m, m.projectOf(project))
	if err != nil {
		return nil, err
	}
	if o == nil {
		return []string{"+ " + m.kind.words[0] + " " + m.title()}, nil
	}
	patch, err := m.difference(*o)
	if err != nil || len(patch) == 0 {
		return nil, err
	}
	out := []string{"~ " + m.kind.words[0] + " " + m.title()}
	return append(out, m.lines(*o, "", patch)...), nil
}

// lines shows what a patch changes. Secrets are not shown.
func (m manifest) lines(o object, at string, patch map[string]any) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(patch)) {
		path := at + name
		if inner, ok := patch[name].(map[string]any); ok {
			out = append(out, m.lines(o, path+".", inner)...)
			continue
		}
		was, will := o.text(path), textOf(patch[name])
		if slices.Contains(m.kind.hidden, path) {
			was, will = "(not shown)", "(not shown)"
		}
		out = append(out, fmt.Sprintf("    %s: %s -> %s", path, orNothing(was), orNothing(will)))
	}
	return out
}

func orNothing(text string) string {
	if text == "" {
		return "(nothing)"
	}
	return text
}
