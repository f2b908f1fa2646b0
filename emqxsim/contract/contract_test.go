package contract_test

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxsim/contract"
)

// versions are those there are documents of.
var versions = []string{"5.6.1", "5.7.2", "5.8.1", "5.8.9"}

// later are versions of which there is no document: they are held against the newest one there is.
// What is known of them from EMQX's source is in the adapters' suite.
var later = map[string]string{"6.0.3": "5.8.9", "6.1.2": "5.8.9", "6.2.2": "5.8.9", "6.3.0": "5.8.9"}

// license is one for several nodes, which they need to be a cluster.
var license = emqxsim.License{Limit: 10_000}

// made is one call that a test makes, and the status it means to get.
type made struct {
	call   string // as in contract.Calls
	path   string // below /api/v5, with a query; "" = that of the call
	body   string
	status int
	open   bool     // without credentials
	bad    bool     // with wrong ones
	token  bool     // with that of a login
	before []string // calls made first: method, path below /api/v5, body
}

// TestAnswersFitTheDocuments makes every simulated call, good and bad ones, on
// clusters of every version there is a document of, and holds the answers
// against what the document says.
func TestAnswersFitTheDocuments(t *testing.T) {
	validated := 0
	for _, version := range append(slices.Sorted(maps.Keys(later)), versions...) {
		t.Run(version, func(t *testing.T) {
			document := cmp.Or(later[version], version)
			said := readExtract(t, document)
			var whole *validator
			if document == version { // they take their time
				whole = newValidator(t, document)
			}
			if whole == nil {
				t.Logf("no documents in %s: held against the extract alone", documents)
			}
			covered := map[string]bool{}
			for _, m := range calls() {
				if m.call == "POST /license" && m.status == http.StatusOK && later[version] != "" {
					m.body = `{"key":"` + emqxsim.LicenseKey(license) + `"}` // the default one is for a single node
				}
				if _, known := said[m.call]; !known {
					continue // this version has no such call
				}
				covered[m.call] = true
				a := make1(t, version, m)
				require.Equal(t, m.status, a.status, "%s %s: %s", m.call, m.path, a.body)
				validated++
				report(t, version, m, "extract", extractCheck(said, m, a))
				if whole != nil {
					report(t, version, m, "document", whole.check(m.call, a))
				}
			}
			for call := range said {
				if !covered[call] {
					t.Errorf("%s is in the document of %s and never made", call, version)
				}
			}
		})
	}
	t.Logf("%d answers validated", validated)
	for _, k := range known {
		require.True(t, needed[k.String()] || k.whole && !atHand(), "the row is no longer needed; take it out: %s", k)
	}
}

// response is an answer.
type response struct {
	status int
	header http.Header
	body   []byte
}

// make1 makes a call on a cluster of its own.
func make1(t *testing.T, version string, m made) response {
	t.Helper()
	c := client{endpoint: cluster(version)}
	for _, line := range m.before {
		f := strings.SplitN(line, " ", 3)
		a := c.send(t, f[0], f[1], f[2], func(req *http.Request) { c.authorise(req) })
		require.Less(t, a.status, 300, "%s: %s", line, a.body)
	}
	method, path, _ := strings.Cut(m.call, " ")
	if m.path != "" {
		path = m.path
	}
	return c.send(t, method, path, m.body, func(req *http.Request) {
		switch {
		case m.open:
		case m.bad:
			req.SetBasicAuth("nobody", "wrong")
		case m.token:
			req.Header.Set("Authorization", "Bearer "+c.login(t))
		default:
			c.authorise(req)
		}
	})
}

// client asks a node of a simulated cluster.
type client struct{ endpoint ecp.Endpoint }

func (c client) authorise(req *http.Request) {
	req.SetBasicAuth(c.endpoint.Credentials.Username, c.endpoint.Credentials.Password)
}

func (c client) send(t *testing.T, method, path, body string, tune func(*http.Request)) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.endpoint.BaseURL+"/api/v5"+path,
		strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Accept", "application/json")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	tune(req)
	res, err := (&http.Client{Transport: c.endpoint.Transport}).Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return response{res.StatusCode, res.Header, b}
}

// login gives a token of the dashboard's user.
func (c client) login(t *testing.T) string {
	t.Helper()
	a := c.send(t, http.MethodPost, "/login", `{"username":"admin","password":"public"}`, func(*http.Request) {})
	var in struct {
		Token string `json:"token"`
	}
	require.NoError(t, json.Unmarshal(a.body, &in), "%s", a.body)
	return in.Token
}

// extractCheck holds an answer against the extract of a document.
func extractCheck(said contract.Answers, m made, a response) []string {
	shape, declared := said[m.call][strconv.Itoa(a.status)]
	if !declared {
		return []string{"status is not declared"}
	}
	if shape == nil || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		return nil
	}
	var body any
	if err := json.Unmarshal(a.body, &body); err != nil {
		return []string{"is no JSON: " + err.Error()}
	}
	return shape.Check("", body)
}

// report fails the test for every complaint that is not known.
func report(t *testing.T, version string, m made, who string, complaints []string) {
	t.Helper()
	for _, c := range complaints {
		if !isKnown(version, m, c) {
			t.Errorf("%s %s %d, by the %s of %s: %s", m.call, m.path, m.status, who, version, c)
		}
	}
}
