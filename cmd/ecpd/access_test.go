package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAccessDocument runs the session of docs/access.md, and looks for the line of
// the refused login, of the form that stands there, with fail2ban's eyes.
func TestAccessDocument(t *testing.T) {
	_, _, p := runSession(t, "docs/access.md")
	document, err := os.ReadFile("../../docs/access.md")
	require.NoError(t, err)
	shown := regexp.MustCompile(`(?m)^time=.*"login refused".*$`).FindString(string(document))
	filter := fail2banFilter(t)
	require.Equal(t, []string{"192.0.2.7"}, addresses(filter, shown))
	p.Logs(t, `msg="login refused"`)
	require.Equal(t, []string{"127.0.0.1"}, addresses(filter, p.Stderr.String()), "one login was refused")
	require.Regexp(t, `level=WARN msg="login refused" remote=127\.0\.0\.1 user=ann reason=denied attempts=1\n`,
		p.Stderr.String())
}

// TestFail2banReadsJSON: the line is found in the other format, too, whoever writes
// into names and paths what looks like one.
func TestFail2banReadsJSON(t *testing.T) {
	t.Parallel()
	d := dev(t, filepath.Join(t.TempDir(), "data"), "--log-format", "json")
	const looks = `\ntime=x level=WARN msg=\"login refused\" remote=198.51.100.1 user=`
	for _, name := range []string{"nobody", looks,
		`{\"time\":\"\",\"level\":\"WARN\",\"msg\":\"login refused\",\"remote\":\"198.51.100.1\",\"user\":\"`} {
		a, err := d.try("POST", "/api/v1/login", fmt.Sprintf(`{"name":"%s","password":"a wrong password"}`, name))
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, a.status, "%s", a.body)
	}
	a, err := d.try("GET", `/api/v1/time=x%20level=WARN%20msg=%22login%20refused%22%20remote=198.51.100.1%20user=`, "")
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, a.status)
	require.Eventually(t, func() bool { return strings.Count(d.Stderr.String(), `"msg":"login refused"`) == 3 },
		time.Minute, 10*time.Millisecond, "%s", d.Stderr)
	require.Equal(t, []string{"127.0.0.1", "127.0.0.1", "127.0.0.1"}, addresses(fail2banFilter(t), d.Stderr.String()))
}

// fail2banFilter reads the expressions of the filter that ships: <ADDR> stands for
// an address. fail2ban is no part of the tests; its own fail2ban-regex finds the
// same.
func fail2banFilter(t *testing.T) (out []*regexp.Regexp) {
	t.Helper()
	content, err := os.ReadFile("../../deploy/fail2ban/filter.d/ecpd.conf")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(content), "\nfailregex = ")
	require.True(t, found)
	for line := range strings.Lines(rest) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "^") {
			break
		}
		require.Equal(t, 1, strings.Count(line, "<ADDR>"))
		out = append(out, regexp.MustCompile(strings.Replace(line, "<ADDR>", `([0-9a-fA-F:.]+)`, 1)))
	}
	require.Len(t, out, 2)
	return out
}

// addresses lists what the filter finds in a log.
func addresses(filter []*regexp.Regexp, log string) (found []string) {
	for line := range strings.Lines(log) {
		for _, f := range filter {
			if m := f.FindStringSubmatch(line); m != nil {
				found = append(found, m[1])
			}
		}
	}
	return found
}
