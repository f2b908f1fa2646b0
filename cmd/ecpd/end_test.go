package main_test

import (
	"bufio"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// mostEnd is how long the end of the daemon may take: systemd waits for 20 s.
const mostEnd = 15 * time.Second

// stream opens the stream of events; lines gives what comes until it ends.
func (d *daemon) stream(t *testing.T, query string) (lines *bufio.Scanner) {
	t.Helper()
	return d.follow(t, "/api/v1/events"+query)
}

// rest reads a stream to its end, which has to be an orderly one.
func rest(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	var all strings.Builder
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
	}
	require.NoError(t, lines.Err(), "the stream broke")
	return all.String()
}

// TestTerm ends the daemon while a stream of events is open (no second one is
// taken: the settings reach the API), a request waits
// for an operation, and that is under way: /readyz says no first while the rest
// goes on, then the stream ends with an event that says so, the waiting request
// is answered, and the next start takes the work up.
func TestTerm(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	d := dev(t, dir, "--drain", "2s", "--streams", "1")
	stream := d.stream(t, "")
	assert.Contains(t, string(d.call(t, "GET", "/api/v1/events", "", nil, 429).body),
		"which is the limit of this server")
	var created struct{ ID string }
	d.call(t, "POST", "/api/v1/clusters", request("cut short", 7), &created, 202)
	for stream.Scan() && !strings.Contains(stream.Text(), "cut short") { // until the event arrives
	}
	require.NoError(t, stream.Err())
	var list struct{ Items []struct{ ID string } }
	d.call(t, "GET", "/api/v1/clusters/"+created.ID+"/operations", "", &list, 200)
	waiting := make(chan answer, 1)
	go func() {
		a, _ := d.try("GET", "/api/v1/operations/"+list.Items[0].ID+"?wait=30s", "")
		waiting <- a
	}()

	began := time.Now()
	d.Signal(t, syscall.SIGTERM)
	processtest.Eventually(t, 2*time.Second, func() (bool, string) {
		a, err := d.try("GET", "/readyz", "")
		require.NoError(t, err, "the listener closed before /readyz said no")
		return a.status == http.StatusServiceUnavailable, string(a.body)
	})
	d.call(t, "GET", "/healthz", "", nil, 200)
	d.call(t, "GET", "/api/v1/clusters/"+created.ID, "", nil, 200)

	last := strings.TrimSpace(rest(t, stream))
	i := strings.LastIndex(last, "event: ")
	require.Positive(t, i, last)
	assert.Regexp(t, `^event: problem\ndata: {.*"code":"unavailable".*the server is shutting down`, last[i:])
	assert.Equal(t, 200, (<-waiting).status, "who waits is answered with the operation as it stands")
	assert.Zero(t, d.Wait(t, 20*time.Second))
	assert.Less(t, time.Since(began), mostEnd)
	_, err := d.try("GET", "/readyz", "")
	require.Error(t, err)

	again := dev(t, dir)
	assert.Equal(t, 7, again.reaches(t, created.ID, "running").Status.ReadyNodes)
}

// TestEndsInTimeWithStuckClients ends the daemon while clients neither send the
// rest of their request nor read their stream.
func TestEndsInTimeWithStuckClients(t *testing.T) {
	t.Parallel()
	d := dev(t, filepath.Join(t.TempDir(), "data"))
	for _, request := range []string{
		"GET /api/v1/events?since=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + d.token + "\r\n\r\n",
		"POST /api/v1/clusters HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + d.token +
			"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		"GET /healthz HTTP/1.1\r\nHost: ", // a head that is never complete
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		_, err = conn.Write([]byte(request))
		require.NoError(t, err)
	}
	d.call(t, "GET", "/api/v1/clusters", "", nil, 200)
	code, took := d.Terminate(t)
	assert.Zero(t, code)
	assert.Less(t, took, mostEnd)
	assert.NotContains(t, d.Stderr.String(), "level=ERROR")
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	d := dev(t, filepath.Join(t.TempDir(), "data"))
	// A request whose body never comes keeps the first signal waiting.
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte("POST /api/v1/clusters HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + d.token +
		"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"))
	require.NoError(t, err)
	d.call(t, "GET", "/api/v1/clusters", "", nil, 200)
	d.Signal(t, syscall.SIGINT)
	d.Logs(t, "shutting down")
	d.Signal(t, syscall.SIGINT)
	assert.Equal(t, 1, d.Wait(t, 10*time.Second))
	assert.Contains(t, d.Stderr.String(), "ending at once")
}
