package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCells(t *testing.T) {
	require.Equal(t, 6, cells("运行中"))
	require.Equal(t, "运行中  ", pad("运行中", 8))
	require.Equal(t, "运…", shortened("运行中", 4))
	require.Equal(t, []int{8, 10}, fit([]int{8, 40}, 20))
	require.Equal(t, []int{8, 40}, fit([]int{8, 40}, 0))
}

// onTerminal runs a command as on a terminal of 60 columns.
func onTerminal(t *testing.T, typed string, env map[string]string, do func(*app)) (out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	do(&app{
		terminal: terminal{
			in: strings.NewReader(typed), out: &stdout, err: &stderr, asks: true, shows: true, width: 60,
		},
		env: func(name string) string { return env[name] },
	})
	return stdout.String(), stderr.String()
}

// A table fits the terminal and has colours there; what a name holds does not move the
// cursor.
func TestTableOnTerminal(t *testing.T) {
	show := func(a *app) {
		p, err := a.printer(clusterKind)
		require.NoError(t, err)
		require.NoError(t, p.add(objectOf(map[string]any{
			"name": "a\x1b[2Jvery long name of a cluster that does not fit", "id": "emqx-01234567",
			"status": map[string]any{"state": "running"},
		})))
		require.NoError(t, p.end())
	}
	out, _ := onTerminal(t, "", nil, show)
	require.Contains(t, out, green+"running"+reset)
	require.Contains(t, out, "…")
	require.NotContains(t, out, "\x1b[2J")
	plainOut, _ := onTerminal(t, "", map[string]string{"NO_COLOR": "1"}, show)
	require.NotContains(t, plainOut, "\x1b")
}

// A series is a table, and says why there is none.
func TestSeries(t *testing.T) {
	out, said := onTerminal(t, "", nil, func(a *app) {
		a.width = 0
		var o object
		require.NoError(t, o.UnmarshalJSON([]byte(`{"series": [{"at": "2026-01-02T03:04:05Z", "connections": 7,
			"sessions": 9, "topics": 3, "subscriptions": 4, "received": 100, "sent": 50, "dropped": 1}],
			"seriesError": "node 2 is away"}`)))
		require.NoError(t, a.printSeries(o))
	})
	require.Regexp(t, `^AT +CONNECTIONS +SESSIONS .*DROPPED\n2026-01-0\d .* +7 +9 +3 +4 +100 +50 +1\n$`, out)
	require.Equal(t, "node 2 is away\n", said)
}

func TestConfirm(t *testing.T) {
	for typed, want := range map[string]error{
		"y\n": nil, "Yes\n": nil, "是\n": nil, "\n": errDeclined, "n\n": errDeclined,
	} {
		_, asked := onTerminal(t, typed, nil, func(a *app) {
			require.ErrorIs(t, a.confirm(t.Context(), "Go on?"), want)
		})
		require.Equal(t, "Go on? [y/N] ", asked)
	}
}

// Ctrl-C ends a question; reading a terminal would not.
func TestQuestionEndsWithTheContext(t *testing.T) {
	in, typing := io.Pipe()
	defer func() { require.NoError(t, typing.Close()) }()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	a := &app{terminal: terminal{in: in, err: io.Discard, asks: true}}
	require.ErrorIs(t, a.confirm(ctx, "Go on?"), errInterrupted)
	require.Equal(t, exitInterrupted, exitCode(errInterrupted))
}

func TestPatch(t *testing.T) {
	type fields = map[string]any
	from := fields{"name": "a", "spec": fields{"nodes": 2.0, "config": fields{"x": "1", "y": "2"}}}
	to := fields{"name": "a", "spec": fields{"nodes": 3.0, "config": fields{"x": "1"}}}
	require.Equal(t, fields{"spec": fields{"nodes": 3.0}}, patchOf(from, to, false))
	require.Equal(t, fields{"spec": fields{"nodes": 3.0, "config": fields{"y": nil}}}, patchOf(from, to, true))
	require.Empty(t, patchOf(from, from, true))
}

// TestColumnsAreOfTheAPI holds the paths of columns, and the fields that can be written,
// to the API's document.
func TestColumnsAreOfTheAPI(t *testing.T) {
	b, err := os.ReadFile("../../httpapi/openapi.json")
	require.NoError(t, err)
	var doc struct {
		Components struct{ Schemas map[string]any }
	}
	require.NoError(t, json.Unmarshal(b, &doc))
	schemas := doc.Components.Schemas
	names := map[string]string{
		kindCluster: "Cluster", "image": "Image", "size": "Size", "registry": "Registry", "license": "License",
		"certificate": "CertificateInfo", "lb-profile": "LBProfile", "target": "TargetInfo", "org": "Org",
		kindProject: "Project", kindUser: "User", kindToken: "Token", kindPool: "Pool",
	}
	for _, k := range append(resources, clusterKind, pool) {
		for _, c := range k.columns {
			require.True(t, hasField(schemas, schemas[names[k.name]], c.path), "%s has no %s", k.name, c.path)
		}
	}
	for i, name := range []string{"Node", "Alarm", "Rule", "Connector", "History"} {
		for _, c := range listings[i].columns {
			require.True(t, hasField(schemas, schemas[name], c.path), "%s has no %s", name, c.path)
		}
	}
	for name, k := range map[string]kind{
		"Operation": operationKind, "Agent": agentKind, "AuditEntry": auditKind, "Registration": registrationKind,
		"Unrecorded": unrecordedKind, "Quota": quotaKind, "RightInfo": rightKind, "SettingDrift": driftKind,
		"Daemon": daemonKind, "Sample": sampleKind, "Stats": statsKind,
	} {
		for _, c := range k.columns {
			require.True(t, hasField(schemas, schemas[name], c.path), "%s has no %s", name, c.path)
		}
	}
}

// hasField reports whether a schema has a path, in one of its alternatives.
func hasField(schemas map[string]any, schema any, path string) bool {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		return hasField(schemas, schemas[ref[strings.LastIndex(ref, "/")+1:]], path)
	}
	for _, word := range []string{"anyOf", "oneOf"} {
		all, _ := s[word].([]any)
		for _, one := range all {
			if hasField(schemas, one, path) {
				return true
			}
		}
	}
	name, rest, deeper := strings.Cut(path, ".")
	properties, _ := s["properties"].(map[string]any)
	inner, ok := properties[name]
	return ok && (!deeper || hasField(schemas, inner, rest))
}
