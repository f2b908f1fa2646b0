package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// fetchFrom answers one request for a download.
func fetchFrom(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func hexOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func TestDownloads(t *testing.T) {
	dir := t.TempDir()
	program := bytes.Repeat([]byte("program "), 1000)
	file := filepath.Join(dir, "emqxee-agent-linux-arm64")
	require.NoError(t, os.WriteFile(file, program, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, sumsName), []byte("a lie"), 0o600))
	d := newDownloads(dir, discard())
	h := d.handler()

	for _, path := range []string{"/dl/emqxee-agent-linux-arm64", "/dl/emqx/agents/binaries/emqxee-agent-linux-arm64"} {
		w := fetchFrom(h, "GET", path)
		require.Equal(t, 200, w.Code)
		require.Equal(t, program, w.Body.Bytes())
		require.Equal(t, "8000", w.Header().Get("Content-Length"))
		require.Equal(t, "application/octet-stream", w.Header().Get("Content-Type"))
		require.Equal(t, `"`+hexOf(program)+`"`, w.Header().Get("ETag"))

		w = fetchFrom(h, "HEAD", path)
		require.Equal(t, 200, w.Code)
		require.Equal(t, "8000", w.Header().Get("Content-Length"))
		require.Empty(t, w.Body.Bytes())

		w = fetchFrom(h, "GET", path, "Range", "bytes=7990-")
		require.Equal(t, 206, w.Code)
		require.Equal(t, program[7990:], w.Body.Bytes())

		w = fetchFrom(h, "GET", path+".sha256")
		require.Equal(t, 200, w.Code)
		require.Equal(t, hexOf(program)+"  emqxee-agent-linux-arm64\n", w.Body.String())
	}
	require.Equal(t, hexOf(program)+"  emqxee-agent-linux-arm64\n", fetchFrom(h, "GET", "/dl/SHA256SUMS").Body.String(),
		"of the files, not of what stands beside them")
	require.Equal(t, map[string]string{"arm64": hexOf(program)}, d.checksums())

	// A program that was replaced has another checksum.
	require.NoError(t, os.WriteFile(file, []byte("newer"), 0o755))
	require.NoError(t, os.Chtimes(file, time.Now(), time.Now().Add(time.Minute)))
	require.Equal(t, map[string]string{"arm64": hexOf([]byte("newer"))}, d.checksums())

	for _, path := range []string{"/dl/", "/dl", "/dl/secret", "/dl/../secret", "/dl/emqxee-agent-linux-arm64/",
		"/dl/emqxee-agent-linux-s390x", "/dl/emqx/agents/binaries/", "/dl/%2e%2e/secret"} {
		w := fetchFrom(h, "GET", path)
		require.NotEqual(t, 200, w.Code, path)
		require.NotContains(t, w.Body.String(), "href", "no list of the folder")
	}
	w := fetchFrom(h, "POST", "/dl/emqxee-agent-linux-arm64")
	require.Equal(t, 405, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))

	// What could be there and is not says what to do; what is no file is not read.
	require.NoError(t, os.Mkdir(filepath.Join(dir, "emqxee-agent-linux-arm"), 0o755))
	for _, path := range []string{"/dl/emqxee-agent-linux-amd64", "/dl/emqxee-agent-linux-amd64.sha256",
		"/dl/emqxee-agent-linux-arm"} {
		w := fetchFrom(h, "GET", path)
		require.Equal(t, 404, w.Code)
		require.Contains(t, w.Body.String(), "make agents")
		require.NotContains(t, w.Body.String(), dir)
	}
	require.Equal(t, 404, fetchFrom(newDownloads(filepath.Join(dir, "nowhere"), discard()).handler(), "GET",
		"/dl/SHA256SUMS").Code)
}
