package main_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocumentation: a daemon shows its own documentation, beside the page of the API.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir(), nil, "serve", "--dev", "--listen", "127.0.0.1:0")
	url := p.Line(t, readyLine)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, path string) (*http.Response, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, nil)
		require.NoError(t, err)
		answer, err := client.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer, string(body)
	}
	for path, want := range map[string]string{
		"/docs/": "<h1 id=\"documentation\">", "/docs/ecpctl.html": "ecpctl cluster create", "/docs/api": "page.js",
		"/docs/api/page.css": "{", "/docs/style.css": "light-dark",
	} {
		answer, body := ask(http.MethodGet, path)
		require.Equal(t, http.StatusOK, answer.StatusCode, path)
		require.Contains(t, body, want, path)
	}
	answer, _ := ask(http.MethodGet, "/docs")
	require.Equal(t, http.StatusFound, answer.StatusCode)
	require.Equal(t, "docs/", answer.Header.Get("Location"))
	answer, body := ask(http.MethodGet, "/docs/nothing")
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
	require.Contains(t, body, `<a href="./">`)
	answer, _ = ask(http.MethodPost, "/docs/")
	require.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode)
}
