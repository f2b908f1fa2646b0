package main_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

//go:generate go test -run TestMetricsDocument|TestConfigurationDocument . -update

var update = flag.Bool("update", false, "write docs/metrics.md from what a daemon shows")

// family is a metric as it stands on the page.
type family struct {
	name, kind, help string
	labels           map[string]map[string]bool // names to the values seen
	series           int
}

var (
	headLine   = regexp.MustCompile(`^# (HELP|TYPE) (\S+) (.*)$`)
	seriesLine = regexp.MustCompile(`^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$`)
	labelPair  = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// parsePage reads the text format. The le of a histogram and the quantile of a
// summary belong to the kind and are no labels.
func parsePage(t *testing.T, page []byte) map[string]*family {
	t.Helper()
	all := map[string]*family{}
	var now *family
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSuffix(line, "\n")
		if m := headLine.FindStringSubmatch(line); m != nil {
			if m[1] == "HELP" {
				require.NotContains(t, all, m[2], "the metric stands on the page twice")
				now = &family{name: m[2], help: m[3], labels: map[string]map[string]bool{}}
				all[m[2]] = now
				continue
			}
			require.Equal(t, now.name, m[2])
			now.kind = m[3]
			continue
		}
		m := seriesLine.FindStringSubmatch(line)
		require.NotNil(t, m, "line %q", line)
		require.True(t, strings.HasPrefix(m[1], now.name), line)
		now.series++
		for _, l := range labelPair.FindAllStringSubmatch(m[2], -1) {
			if l[1] == "le" || l[1] == "quantile" {
				continue
			}
			if now.labels[l[1]] == nil {
				now.labels[l[1]] = map[string]bool{}
			}
			now.labels[l[1]][l[2]] = true
		}
	}
	return all
}

// scraped is what a daemon shows that has done a bit of everything, and what
// the same daemon shows after more of the same; taken once.
var scraped struct {
	once        sync.Once
	page, later []byte
}

// certificateEnd is when the certificate of the catalog ends.
var certificateEnd = time.Unix(4_102_444_800, 0)

func scrape(t *testing.T) (page, later []byte) {
	t.Helper()
	scraped.once.Do(func() {
		certFile, keyFile, pool := certificate(t)
		d := dev(t, filepath.Join(t.TempDir(), "data"), "--tls-cert", certFile, "--tls-key", keyFile)
		d.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		metrics := func() []byte { return d.call(t, "GET", "/metrics", "", nil, 200).body }
		require.Equal(t, "GET, HEAD", d.call(t, "POST", "/metrics", "", nil, 405).header.Get("Allow"))
		d.call(t, "PATCH", "/api/v1/projects/default/default/quota", `{"connections":500000}`, nil, 200)
		chain, key := emqxsim.SelfSigned("mqtt.example.com", time.Now().Add(-time.Hour), certificateEnd)
		body, err := json.Marshal(map[string]string{"name": "shops", "chain": chain, "key": string(key)})
		require.NoError(t, err)
		d.call(t, "POST", "/api/v1/certificates", string(body), nil, 201)
		d.exercise(t, 1)
		first := metrics()
		d.exercise(t, 5)
		scraped.page, scraped.later = first, metrics()
	})
	require.NotEmpty(t, scraped.later, "the daemon could not be scraped; see the test that tried")
	return scraped.page, scraped.later
}

// exercise takes clusters through a life, and sends what clients should not.
func (d *daemon) exercise(t *testing.T, clusters int) {
	t.Helper()
	var ids []string
	for i := range clusters {
		ids = append(ids, d.create(t, fmt.Sprintf("c%d", i), 1))
	}
	for _, id := range ids {
		d.reaches(t, id, "running")
	}
	for _, id := range ids {
		d.call(t, "GET", "/api/v1/clusters/"+id+"/operations", "", nil, 200)
		d.call(t, "GET", "/api/v1/nothing/"+id, "", nil, 404)
		d.call(t, "GET", "/api/v1/clusters/"+id+"?x="+id, "", nil, 422)
		d.call(t, "B"+strings.ToUpper(id[5:]), "/api/v1/clusters", "", nil, 405)
		d.call(t, "DELETE", "/api/v1/clusters/"+id, "", nil, 202)
	}
	for _, id := range ids {
		d.goes(t, id)
	}
	d.call(t, "POST", "/api/v1/clusters", "{", nil, 400, 422)
}

// The page keeps Prometheus' rules for names and units.
func TestMetricsAreWellFormed(t *testing.T) {
	t.Parallel()
	page, _ := scrape(t)
	problems, err := promlint.New(bytes.NewReader(page)).Lint()
	require.NoError(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for name, f := range parsePage(t, page) {
		assert.NotEmpty(t, f.help, name)
		assert.Regexp(t, "^(openecp|ecpd|go|process|promhttp)_", name)
	}
}

var anyID = regexp.MustCompile(`(emqx|op)-[0-9a-f]{8}`)

// The page does not grow with clusters, or with what clients think up.
func TestMetricsDoNotExplode(t *testing.T) {
	t.Parallel()
	page, later := scrape(t)
	require.NotRegexp(t, anyID, string(later), "ids are no labels")
	before, after := parsePage(t, page), parsePage(t, later)
	require.ElementsMatch(t, slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after)))
	for name, f := range after {
		assert.Equal(t, before[name].series, f.series, "series of %s, after five more clusters and odd requests", name)
		for label, values := range f.labels {
			assert.LessOrEqual(t, len(values), 100, "values of %s of %s", label, name)
		}
	}
}

// The numbers are those of what was done.
func TestMetricsCount(t *testing.T) {
	t.Parallel()
	page, later := scrape(t)
	for _, want := range []string{
		`openecp_operations_ended_total{kind="create",phase="succeeded"} 1`,
		`openecp_operations_ended_total{kind="delete",phase="succeeded"} 1`,
		`openecp_operation_duration_seconds_count{kind="create"} 1`,
		`openecp_clusters{mode="hosted",state="running"} 0`,
		`openecp_pool_clusters_used 0`,
		`openecp_certificate_expiry_timestamp_seconds{certificate="shops"} 4.1024448e+09`,
		`openecp_quota_connections_limit{of="default/default"} 500000`,
		`openecp_quota_connections_used{of="default/default"} 0`,
		`ecpd_http_requests_total{code="202",method="POST",route="/api/v1/clusters"} 1`,
		`ecpd_http_requests_total{code="404",method="",route=""} 1`,
		`ecpd_http_requests_total{code="405",method="",route=""} 1`,
		`ecpd_event_streams 0`,
		`ecpd_reloads_total{result="failure"} 0`,
	} {
		assert.Contains(t, string(page), "\n"+want+"\n")
	}
	assert.Contains(t, string(later), "\n"+`openecp_operations_ended_total{kind="create",phase="succeeded"} 6`+"\n")
	assert.Regexp(t, `(?m)^ecpd_store_size_bytes{file="database"} [1-9]`, string(page))
	assert.Regexp(t, `(?m)^ecpd_store_duration_seconds_count{access="write"} [1-9]`, string(page))
	assert.Regexp(t, `(?m)^ecpd_tls_certificate_expiry_timestamp_seconds 1\.\d+e\+09$`, string(page))
}

const metricsDoc = "../../docs/metrics.md"

// The page is made from what a daemon shows, so that it cannot say anything else.
func TestMetricsDocument(t *testing.T) {
	t.Parallel()
	page, _ := scrape(t)
	want := metricsDocument(parsePage(t, page))
	if *update {
		require.NoError(t, os.WriteFile(metricsDoc, []byte(want), 0o644))
	}
	got, err := os.ReadFile(metricsDoc)
	require.NoError(t, err)
	require.Equal(t, want, string(got),
		"docs/metrics.md is out of date; if the change is meant: go generate ./cmd/ecpd")
}

// ofTheFleet are the metrics that are the same at every daemon of one database.
var ofTheFleet = []string{
	"openecp_certificate_expiry_timestamp_seconds", "openecp_clusters", "openecp_contested_objects",
	"openecp_foreign_members", "openecp_operation_duration_seconds", "openecp_operations",
	"openecp_operations_ended_total", "openecp_pool_clusters_limit", "openecp_pool_clusters_used",
	"openecp_pool_connections_limit", "openecp_pool_connections_used", "openecp_quota_connections_limit",
	"openecp_quota_connections_used", "openecp_stale_clusters", "openecp_unrecorded_clusters",
}

func metricsDocument(all map[string]*family) string {
	var b strings.Builder
	b.WriteString(`# Metrics

This page is made from what a running daemon shows; ` + "`make generate`" + ` writes it anew.

` + "`GET /metrics`" + ` is beside the API and wants the token of a system administrator, or, with ` + "`--metrics-listen`" + `, on a
listener of its own without a token. [deploy/grafana/ecpd.json](../deploy/grafana/ecpd.json) is a dashboard of them.

No label grows with the fleet or holds what a client wrote, but for the names of organisations and projects for which
somebody has set a quota: to look at one cluster, ask the API. Counters begin at zero
when the daemon starts. While the database does not answer, what it would have told is left out.

Where several daemons work together on one database, each shows the whole fleet, and its own work. What is the same at
all of them says *any* in the tables below: take the largest (` + "`max by`" + `). What is of one daemon says *each*: add it
up, or look at one.
`)
	for _, part := range []struct{ prefix, title string }{
		{"openecp_", "The fleet"},
		{"ecpd_", "The daemon"},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | type | labels | of several daemons | what it says |\n"+
			"|---|---|---|---|---|\n", part.title)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if f := all[name]; strings.HasPrefix(name, part.prefix) {
				of := "each"
				if slices.Contains(ofTheFleet, name) {
					of = "any"
				}
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, f.kind,
					strings.Join(slices.Sorted(maps.Keys(f.labels)), ", "), of, f.help)
			}
		}
	}
	b.WriteString("\n`ecpmetrics` gives the first table to every program with a Manager. Beside both, `go_…` and " +
		"`process_…` tell of the Go\nruntime and the process, as in every program that uses Prometheus' client for " +
		"Go.\n")
	return b.String()
}
