package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/browsertest"
)

// browse opens a page in a headless browser and returns what its scripts have
// made of it.
func browse(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := browsertest.Command(ctx, t, "--virtual-time-budget=20000", "--dump-dom", url)
	out, err := cmd.Output()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		t.Fatalf("%v: %s", err, ended.Stderr)
	}
	require.NoError(t, err)
	return string(out)
}

// The page's script draws the whole document: every operation, every schema.
func TestPageInABrowser(t *testing.T) {
	f := newFixture(t, setup{})
	drawn := browse(t, f.server.URL+"/")
	require.NotContains(t, drawn, "could not be drawn")
	var document struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	require.NoError(t, json.Unmarshal(f.api.document, &document))
	for path, item := range document.Paths {
		for method, b := range item {
			var op struct{ OperationID, Summary string }
			require.NoError(t, json.Unmarshal(b, &op), "%s %s", method, path)
			require.Equal(t, 1, strings.Count(drawn, `<article id="`+op.OperationID+`">`), "%s %s", method, path)
		}
	}
	for name := range document.Components.Schemas {
		require.Contains(t, drawn, `<article id="schema-`+name+`">`)
	}
	_, create, _ := strings.Cut(drawn, `<article id="createCluster">`)
	hosted, adopted := strings.Index(create, "example: hosted"), strings.Index(create, "example: adopted")
	require.True(t, 0 <= hosted && hosted < adopted, "the example of a hosted cluster comes first")
	for _, p := range strings.Split(about, "\n\n") {
		require.Contains(t, drawn, "<p>"+strings.ReplaceAll(p, "\n", " ")+"</p>",
			"paragraphs break where the text has none")
	}
}

// Whoever tries the addresses that come to mind finds the page.
func TestWaysToThePage(t *testing.T) {
	f := newFixture(t, setup{})
	for path := range docsRedirects {
		r, err := http.Get(f.server.URL + path)
		require.NoError(t, err)
		require.NoError(t, r.Body.Close())
		require.Equal(t, http.StatusOK, r.StatusCode, path)
		require.Equal(t, pagePath, r.Request.URL.Path, path)
	}
	f.call(nobody, http.MethodPost, "/", "").want(http.StatusNotFound)
}
