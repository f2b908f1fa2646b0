package main_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPages: a daemon shows its console and its own documentation, beside the page of the API.
func TestPages(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir(), nil, "serve", "--dev", "--listen", "127.0.0.1:0")
	url := p.Line(t, readyLine)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, path string) (status int, header http.Header, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, nil)
		require.NoError(t, err)
		answer, err := client.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, answer.Header, string(b)
	}
	for path, want := range map[string]string{
		"/docs/": "<h1 id=\"documentation\">", "/docs/ecpctl.html": "ecpctl cluster create", "/docs/api": "page.js",
		"/docs/api/page.css": "{", "/docs/style.css": "light-dark", "/console/": "<title>OpenECP</title>",
	} {
		status, _, body := ask(http.MethodGet, path)
		require.Equal(t, http.StatusOK, status, path)
		require.Contains(t, body, want, path)
	}
	for path, to := range map[string]string{"/": "console/", "/console": "console/", "/docs": "docs/"} {
		status, header, _ := ask(http.MethodGet, path)
		require.Equal(t, http.StatusFound, status)
		require.Equal(t, to, header.Get("Location"))
	}
	status, _, body := ask(http.MethodGet, "/docs/nothing")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, `<a href="./">`)
	status, _, _ = ask(http.MethodPost, "/docs/")
	require.Equal(t, http.StatusMethodNotAllowed, status)
}
