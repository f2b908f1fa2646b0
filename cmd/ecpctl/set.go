package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// fields are what --set, --secret and --role give, for the body of a request.
type fields struct {
	sets, secrets, roles []string
}

// into puts the fields into a body.
func (f fields) into(ctx context.Context, a *app, k kind, body map[string]any) error {
	for _, s := range f.sets {
		path, text, ok := strings.Cut(s, "=")
		if !ok || path == "" {
			return usagef("--set takes FIELD=VALUE, not %q", s)
		}
		var value any
		at := segments(path)
		if err := yaml.Unmarshal([]byte(text), &value); err != nil || slices.Contains(k.texts, at[0]) {
			value = text
		}
		put(body, at, value)
	}
	for _, s := range f.secrets {
		path, file, ok := strings.Cut(s, "=")
		if !ok || path == "" || file == "" {
			return usagef("--secret takes FIELD=FILE, or FIELD=- for what is typed or in stdin")
		}
		value, err := a.secretOf(ctx, path, file)
		if err != nil {
			return err
		}
		put(body, segments(path), value)
	}
	return f.grants(k, body)
}

// maxSecret bounds the file of a secret, in bytes.
const maxSecret = 1 << 20

// secretOf reads a secret from a file, or as a line that is typed or comes by stdin.
func (a *app) secretOf(ctx context.Context, name, file string) (string, error) {
	if file == "-" {
		if a.asks {
			return a.promptSecret(ctx, name)
		}
		return a.readLine(ctx)
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return string(b), nil
}

// grants adds roles to the request body: a list for a user, a single one for a token.
func (f fields) grants(k kind, body map[string]any) error {
	var all []any
	for _, text := range f.roles {
		role, scope, _ := strings.Cut(text, ":")
		g := map[string]any{"role": role}
		if _, _, ok := cutProject(scope); ok {
			g["project"] = scope
		} else if scope != "" {
			g["org"] = scope
		}
		all = append(all, g)
	}
	switch {
	case len(all) == 0:
	case k.name == kindUser:
		body["grants"] = all
	case len(all) > 1:
		return usagef("a token has one --role")
	default:
		g, _ := all[0].(map[string]any)
		for name, value := range g {
			body[name] = value
		}
	}
	return nil
}

// segments splits a path at its dots; \. is a dot that does not split. What follows
// spec.config is one key: EMQX's settings have dots in their names.
func segments(path string) []string {
	const config = "spec.config."
	if key, ok := strings.CutPrefix(path, config); ok {
		return []string{"spec", "config", key}
	}
	var out []string
	for s := range strings.SplitSeq(strings.ReplaceAll(path, `\.`, "\x00"), ".") {
		out = append(out, strings.ReplaceAll(s, "\x00", "."))
	}
	return out
}

func put(body map[string]any, path []string, value any) {
	for _, s := range path[:len(path)-1] {
		inner, ok := body[s].(map[string]any)
		if !ok {
			inner = map[string]any{}
			body[s] = inner
		}
		body = inner
	}
	if len(path) == 3 && path[1] == "config" && value != nil { // settings are texts
		if _, text := value.(string); !text {
			b, err := json.Marshal(value)
			if err == nil {
				value = string(b)
			}
		}
	}
	body[path[len(path)-1]] = value
}
