package main_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// panel is the part of a panel of Grafana's that is looked at here.
type panel struct {
	ID          int
	Type, Title string
	Description string
	Datasource  struct{ UID string }
	Targets     []struct{ RefID, Expr, LegendFormat string }
	FieldConfig struct {
		Defaults struct{ Unit string }
	}
	GridPos struct{ X, Y, W, H int }
}

var (
	quoted    = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	metricUse = regexp.MustCompile(`\b((?:openecp|ecpd|go|process)_\w+)(?:\{([^}]*)\})?`)
	matcher   = regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping  = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	legend    = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)
)

// scraperLabels are those that Prometheus itself adds.
var scraperLabels = []string{"job", "instance"}

// TestDashboard checks that every metric of the dashboard is shown by a daemon,
// with the labels it is asked by, and that every panel can be read.
func TestDashboard(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../deploy/grafana/ecpd.json")
	require.NoError(t, err)
	var dashboard struct {
		Title, UID string
		Panels     []panel
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	require.NoError(t, json.Unmarshal(content, &dashboard))
	require.NotEmpty(t, dashboard.Title)
	require.NotEmpty(t, dashboard.UID)
	page, _ := scrape(t)
	all := parsePage(t, page)
	used, ids, titles := map[string]bool{}, map[int]bool{}, map[string]bool{}
	for _, p := range dashboard.Panels {
		require.NotEmpty(t, p.Title, "panel %d", p.ID)
		assert.False(t, ids[p.ID], "two panels have the id %d", p.ID)
		assert.False(t, titles[p.Title], "two panels have the title %q", p.Title)
		ids[p.ID], titles[p.Title] = true, true
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		if p.Type == "row" {
			continue
		}
		assert.NotEmpty(t, p.FieldConfig.Defaults.Unit, "%s has no unit", p.Title)
		assert.NotEmpty(t, p.Description, "%s says not what to read from it", p.Title)
		assert.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			checkQuery(t, p.Title, target.Expr, target.LegendFormat, all, used)
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "openecp_") || strings.HasPrefix(name, "ecpd_") {
			assert.True(t, used[name], "%s is on no panel", name)
		}
	}
	for _, v := range dashboard.Templating.List {
		for _, m := range metricUse.FindAllStringSubmatch(v.Query, -1) {
			assert.Contains(t, all, m[1], "variable %s", v.Name)
		}
	}
}

// checkQuery checks one query as far as names and labels go.
func checkQuery(t *testing.T, title, expr, legendFormat string, all map[string]*family, used map[string]bool) {
	t.Helper()
	bare := quoted.ReplaceAllString(expr, `""`)
	known := slices.Clone(scraperLabels)
	uses := metricUse.FindAllStringSubmatch(expr, -1)
	assert.NotEmpty(t, uses, "%s asks for no metric of ours: %s", title, expr)
	for _, use := range uses {
		f := familyOf(use[1], all)
		if !assert.NotNil(t, f, "%s: no daemon shows %s", title, use[1]) {
			continue
		}
		used[f.name] = true
		labels := slices.Clone(scraperLabels)
		for l := range f.labels {
			labels = append(labels, l)
		}
		if f.kind == "histogram" {
			labels = append(labels, "le")
		}
		for _, m := range matcher.FindAllStringSubmatch(use[2], -1) {
			assert.Contains(t, labels, m[1], "%s: a label of %s", title, use[1])
			if m[2] == "=" {
				assert.True(t, f.labels[m[1]][m[3]], "%s: no %s has %s=%q", title, use[1], m[1], m[3])
			}
		}
		known = append(known, labels...)
	}
	for _, g := range grouping.FindAllStringSubmatch(bare, -1) {
		for _, l := range strings.FieldsFunc(g[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			assert.Contains(t, known, l, "%s: grouped by it in %s", title, expr)
		}
	}
	for _, l := range legend.FindAllStringSubmatch(legendFormat, -1) {
		assert.Contains(t, known, l[1], "%s: in the legend %s", title, legendFormat)
	}
}

// familyOf finds the metric that a series belongs to; nil if there is none.
func familyOf(series string, all map[string]*family) *family {
	if f := all[series]; f != nil && f.kind != "histogram" {
		return f
	}
	for _, end := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(series, end); ok && all[name] != nil {
			return all[name]
		}
	}
	return nil
}
