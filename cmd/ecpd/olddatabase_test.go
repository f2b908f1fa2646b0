package main_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

var makeDatabaseIn = flag.String("make-database", "", "keep a database made anew in this folder")

// databases are data directories of builds before this one, each with its answers.
const databases = "testdata/databases/*"

// TestDatabaseOfBefore starts the daemon on data directories of earlier builds: everything
// is there, hosted clusters run on untouched, and everybody comes in as before.
func TestDatabaseOfBefore(t *testing.T) {
	if *makeDatabaseIn != "" {
		makeDatabase(t, *makeDatabaseIn)
	}
	folders, err := filepath.Glob(databases)
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			data := restoreDatabase(t, folder)
			before := snapshot(t, filepath.Join(data, "sim"))
			d := dev(t, data)
			d.answersAs(t, filepath.Join(folder, "answers.json"))
			d.lets(t, filepath.Join(folder, "logins.json"))
			d.leaves(t, before, snapshot(t, filepath.Join(data, "sim")))
		})
	}
}

// lets comes in with what was given out before.
func (d *daemon) lets(t *testing.T, file string) {
	t.Helper()
	var known logins
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &known))
	var me struct{ Name, Token string }
	for secret, name := range map[string]string{known.Token: "token:deployer", known.Session: known.User} {
		as := *d
		as.token = secret
		as.call(t, "GET", "/api/v1/me", "", &me, 200)
		assert.Equal(t, name, me.Name)
	}
	d.makeOnce(t)
	d.call(t, "POST", "/api/v1/login", `{"name":"`+known.User+`","password":"`+known.Password+`"}`, &me, 200)
	d.call(t, "POST", "/api/v1/login", `{"name":"`+known.User+`","password":"x`+known.Password+`"}`, nil, 401)
}

// leaves requires that nothing was written to hosted clusters but to one whose creation
// goes on.
func (d *daemon) leaves(t *testing.T, before, after map[string]string) {
	t.Helper()
	byID := map[string]string{}
	for file, text := range before {
		byID[strings.TrimSuffix(filepath.Base(file), ".json")] = text
	}
	untouched := 0
	for file, text := range after {
		id := strings.TrimSuffix(filepath.Base(file), ".json")
		if d.cluster(t, id).Name != "begun" {
			untouched++
			assert.Equal(t, byID[id], text, id)
		}
	}
	assert.GreaterOrEqual(t, untouched, 5)
	assert.Len(t, slices.Collect(maps.Keys(after)), len(before), "nothing new is made")
}

// notCompared are routes whose answers do not come from the database.
var notCompared = map[string]string{
	"/api/v1/clusters/{id}/alarms":              "the broker answers",
	"/api/v1/clusters/{id}/connectors":          "the broker answers",
	"/api/v1/clusters/{id}/emqx/{path}":         "the broker answers",
	"/api/v1/clusters/{id}/logs":                "the broker answers",
	"/api/v1/clusters/{id}/metrics":             "the broker answers",
	"/api/v1/clusters/{id}/nodes":               "the broker answers",
	"/api/v1/clusters/{id}/rules":               "the broker answers",
	"/api/v1/clusters/{id}/stats":               "the broker answers",
	"/api/v1/overview":                          "counts of what brokers answer",
	"/api/v1/projects/{org}/{project}/overview": "counts of what brokers answer",
	"/api/v1/audit/export":                      "as /api/v1/audit",
	"/api/v1/daemons":                           "the program's own",
	"/api/v1/events":                            "a stream",
	"/api/v1/version":                           "the program's own",
	"/docs/api":                                 "the program's own",
	"/docs/api/{file}":                          "the program's own",
	"/healthz":                                  "the program's own",
	"/openapi.json":                             "the program's own",
}

// answersAs requires the recorded answers of everything that can be read, once the
// daemon has looked at all clusters.
func (d *daemon) answersAs(t *testing.T, file string) {
	t.Helper()
	if *update || *makeDatabaseIn != "" {
		d.settles(t)
		require.NoError(t, os.WriteFile(file, d.readAll(t), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	processtest.Eventually(t, 30*time.Second, func() (bool, string) {
		got := d.readAll(t)
		return bytes.Equal(want, got), differs(string(want), string(got)) +
			"\nwhere that is meant: go test ./cmd/ecpd -run TestDatabaseOfBefore -update"
	})
}

// differs returns the first lines in which two texts differ, and where that is.
func differs(want, got string) string {
	wanted, has, route := strings.Split(want, "\n"), strings.Split(got, "\n"), ""
	for i := range min(len(wanted), len(has)) {
		if strings.HasPrefix(wanted[i], ` "/`) {
			route = wanted[i]
		}
		if wanted[i] != has[i] {
			return route + "\nwas " + wanted[i] + "\nis  " + has[i]
		}
	}
	return "one is longer"
}

// settles waits until the answers have stopped to change.
func (d *daemon) settles(t *testing.T) {
	t.Helper()
	var last []byte
	since := time.Now()
	processtest.Eventually(t, 2*time.Minute, func() (bool, string) {
		if now := d.readAll(t); !bytes.Equal(now, last) {
			last, since = now, time.Now()
		}
		return time.Since(since) > 10*time.Second, "the answers still change"
	})
}

// readAll asks for everything that can be read, and returns the answers by their routes
// without what is another at every start.
func (d *daemon) readAll(t *testing.T) []byte {
	t.Helper()
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	d.call(t, "GET", "/openapi.json", "", &document, 200)
	answers := map[string]json.RawMessage{}
	for path, methods := range document.Paths {
		if _, ok := methods["get"]; !ok || notCompared[path] != "" {
			continue
		}
		for _, at := range d.places(t, path) {
			a := d.call(t, "GET", at, "", nil, 200, 404, 409, 422)
			answers[at] = json.RawMessage(steady(a.body, d.url))
		}
	}
	out, err := json.MarshalIndent(answers, "", " ")
	require.NoError(t, err)
	return append(out, '\n')
}

// places fills in the names in a path, from the list that it begins with.
func (d *daemon) places(t *testing.T, path string) (out []string) {
	t.Helper()
	list, rest, found := strings.Cut(path, "/{")
	if !found {
		return []string{path}
	}
	end := rest[strings.LastIndex(rest, "}")+1:]
	for _, id := range d.named(t, list) {
		out = append(out, list+"/"+id+end)
	}
	return out
}

// named returns what a list names its items by.
func (d *daemon) named(t *testing.T, list string) (out []string) {
	t.Helper()
	if list == "/api/v1/operations" { // listed by cluster
		for _, c := range d.clusters(t) {
			out = append(out, d.named(t, "/api/v1/clusters/"+c.ID+"/operations")...)
		}
		return out
	}
	var all struct {
		Items []struct{ ID, Path, Name string }
	}
	d.call(t, "GET", list, "", &all, 200)
	for _, item := range all.Items {
		for _, name := range []string{item.ID, item.Path, item.Name} {
			if name != "" {
				out = append(out, name)
				break
			}
		}
	}
	return out
}

// changing is what is another one at every start, or by the load of the moment, and what
// stands for it.
var changing = []struct {
	form *regexp.Regexp
	with string
}{
	{rfc3339, "(time)"},
	{regexp.MustCompile(`[0-9a-f]{16}f{7}[0-9a-f]+`), "(time and place)"}, // ids in the order of time
	{regexp.MustCompile(`"next":"[^"]+"`), `"next":"(more)"`},
	{regexp.MustCompile(`"holder":\{[^}]*\}`), `"holder":"(this daemon)"`},
	{regexp.MustCompile(`"uptime":\d+,"connections":\d+`), `"uptime":0,"connections":0`},
	{regexp.MustCompile(`"(current|live|all)":\d+`), `"$1":0`},
}

// steady leaves out of an answer what is another one at every start.
func steady(body []byte, url string) []byte {
	text := strings.ReplaceAll(string(body), strings.TrimPrefix(url, "http://"), "(here)")
	for _, c := range changing {
		text = c.form.ReplaceAllString(text, c.with)
	}
	return []byte(text)
}
