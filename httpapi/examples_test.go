package httpapi

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// The examples of answers in the document are answers: this test asks for each of
// them, over simulated clusters, and puts fixed ids, times and secrets into it.
func TestExamplesAreAnswers(t *testing.T) {
	begin := time.Now()
	f := newFixture(t, setup{run: true, talks: true, agents: withAgents})
	examples := map[string]json.RawMessage{}
	got := func(name string, r reply) reply {
		examples[name] = r.body
		return r
	}
	orders := clustersPath + "/" + f.call(asAdmin, http.MethodPost, clustersPath,
		string(mustJSON(t, requestExamples["createCluster"][0].body))).
		want(http.StatusAccepted).cluster().ID
	f.eventually("nothing is left to do", func() (bool, any) {
		var c struct{ Status statusView }
		f.call(asAdmin, http.MethodGet, orders, "").want(http.StatusOK).into(&c)
		open := slices.ContainsFunc(c.Status.Conditions, func(c ecp.Condition) bool { return c.Status != ecp.True })
		return c.Status.Operation == "" && !open, c.Status
	})
	got("Cluster", f.call(asAdmin, http.MethodGet, orders, "").want(http.StatusOK))
	var operations page[json.RawMessage]
	f.call(asAdmin, http.MethodGet, orders+"/operations", "").want(http.StatusOK).into(&operations)
	examples["Operation"] = operations.Items[0]
	got("Plan", f.call(asAdmin, http.MethodPost, orders+"/stop?dryRun=true", "").want(http.StatusOK))
	got("Problem", f.call(asAdmin, http.MethodPost, clustersPath,
		`{"mode":"hosted","name":"two","spec":{"nodes":8,"connections":10}}`).
		want(http.StatusUnprocessableEntity))

	plant := clustersPath + "/" + f.adopt()
	var guide setupView
	got("Setup", f.call(asAdmin, http.MethodPost, plant+"/setup",
		string(mustJSON(t, requestExamples["setupCluster"][0].body))).
		want(http.StatusCreated)).into(&guide)
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	_, err = f.manager.Agents.Register(t.Context(), ecp.AgentRegistration{
		Token: ecp.Secret(guide.Token), PublicKey: public, Version: "1.0.0", OS: "linux", Arch: "arm64",
		Hostname: "broker-1",
	})
	require.NoError(t, err)
	for name, list := range map[string]string{"Registration": "/registrations", "Agent": "/agents"} {
		var all page[json.RawMessage]
		f.call(asAdmin, http.MethodGet, plant+list, "").want(http.StatusOK).into(&all)
		examples[name] = all.Items[0]
	}
	for name, b := range examples {
		examples[name] = fixed(t, b, begin, guide.Token)
	}
	b, err := indented(examples)
	require.NoError(t, err)
	golden(t, "examples.json", b)
}

// exampleTime is when everything in the examples began.
var exampleTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var (
	exampleIDs   = regexp.MustCompile(`(emqx|op|reg|agt)-[0-9a-f]{8,16}`)
	exampleTimes = regexp.MustCompile(`"20\d\d-[0-9:.TZ-]+"`)
	exampleLocal = regexp.MustCompile(`"20\d\d-\d\d-\d\dT([0-9:]{8})\+\d\d:\d\d"`)
)

// fixed returns an answer in which ids, addresses, times and the token are always the
// same. Times keep their distance from the beginning, in whole minutes.
func fixed(t *testing.T, b []byte, begin time.Time, token string) []byte {
	t.Helper()
	text := strings.ReplaceAll(string(b), token, strings.Repeat("0123456789abcdef", 2))
	text = planHash.ReplaceAllString(text, `"hash":"0123456789abcdef01234567"`)
	text = exampleIDs.ReplaceAllStringFunc(text, func(id string) string {
		kind, _, _ := strings.Cut(id, "-")
		if kind == "emqx" {
			return exampleCluster
		}
		return kind + "-0123456789abcdef"
	})
	// times of schedules follow the calendar, and the summer
	text = exampleLocal.ReplaceAllString(text, `"2026-01-02T$1+01:00"`)
	text = exampleTimes.ReplaceAllStringFunc(text, func(at string) string {
		when, err := time.Parse(`"`+time.RFC3339+`"`, at)
		require.NoError(t, err)
		return exampleTime.Add(when.Sub(begin).Round(time.Minute)).Format(`"` + time.RFC3339 + `"`)
	})
	text = regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d UTC`).ReplaceAllString(text, "2026-01-03 03:04 UTC")
	host := 6
	text = regexp.MustCompile(`"10(\.\d+){3}"`).ReplaceAllStringFunc(text, func(string) string {
		host++
		return fmt.Sprintf(`"10.0.0.%d"`, host)
	})
	text = regexp.MustCompile(`"uptime":\d+`).ReplaceAllString(text, `"uptime":3600`)
	return bytes.TrimSpace([]byte(text))
}

// planHash finds the hash of a plan, which is another for each cluster.
var planHash = regexp.MustCompile(`"hash":"[0-9a-f]{24}"`)
