package console

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(processtest.Exit)) }

// firstLoad is how much a browser may get before the first page stands, in bytes, zipped.
const firstLoad = 120 << 10

// get asks the handler; the body of the answer is in memory.
func get(t *testing.T, method, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

var loads = regexp.MustCompile(`(?:src|href)="([^"]+)"`)

// TestFirstLoad: what the page loads at once is there, comes from this origin, is relative
// to the page, and is small.
func TestFirstLoad(t *testing.T) {
	page := get(t, http.MethodGet, Path, "Accept-Encoding", "gzip")
	require.Equal(t, http.StatusOK, page.Code)
	require.Equal(t, "no-cache", page.Header().Get("Cache-Control"))
	total := page.Body.Len()
	text := get(t, http.MethodGet, Path).Body.String()
	require.NotRegexp(t, `<script>|<style|style="|onload=`, text, "the policy allows nothing inline")
	scripts := 0
	for _, m := range loads.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(m[1], "data:") {
			continue
		}
		require.NotRegexp(t, `^(/|[a-z]+:)`, m[1], "a prefix of a proxy has to come before it")
		part := get(t, http.MethodGet, path.Join(Path, m[1]), "Accept-Encoding", "gzip, br")
		require.Equal(t, http.StatusOK, part.Code, m[1])
		if strings.HasPrefix(m[1], "./assets/") {
			require.Contains(t, part.Header().Get("Cache-Control"), "immutable")
		}
		total += part.Body.Len()
		if strings.HasSuffix(m[1], ".js") {
			scripts++
		}
	}
	require.Positive(t, scripts)
	require.LessOrEqual(t, total, firstLoad, "bytes until the first page stands")
	t.Logf("the first load is %d of %d bytes", total, firstLoad)
}

// TestEveryFile is served with a type, with the policy, and zipped as it is plain.
func TestEveryFile(t *testing.T) {
	require.NoError(t, fs.WalkDir(built, "dist", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if d.IsDir() {
			return nil
		}
		target := Path + strings.TrimPrefix(name, "dist/")
		plain, zipped := get(t, http.MethodGet, target), get(t, http.MethodGet, target, "Accept-Encoding", "gzip")
		for _, r := range []*httptest.ResponseRecorder{plain, zipped, get(t, http.MethodHead, target)} {
			require.Equal(t, http.StatusOK, r.Code, target)
			require.Equal(t, policy, r.Header().Get("Content-Security-Policy"))
			require.NotEmpty(t, r.Header().Get("Content-Type"), target)
		}
		want := plain.Body.String()
		if zipped.Header().Get("Content-Encoding") == "" {
			require.Equal(t, want, zipped.Body.String())
			return nil
		}
		z, err := gzip.NewReader(zipped.Body)
		require.NoError(t, err)
		got, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Equal(t, want, string(got), target)
		return nil
	}))
}

func TestWhatIsNotServed(t *testing.T) {
	require.Equal(t, http.StatusNotFound, get(t, http.MethodGet, Path+"../console.go").Code)
	require.Equal(t, http.StatusNotFound, get(t, http.MethodGet, Path+"assets/").Code)
	r := get(t, http.MethodPost, Path)
	require.Equal(t, http.StatusMethodNotAllowed, r.Code)
	require.Equal(t, "GET, HEAD", r.Header().Get("Allow"))
}
