package agentproto

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNews checks that a server that keeps no stream open learns of every report, and
// that what an agent sends at the same time is not harmed by the news in between.
func TestNews(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		const reports = 200
		news := make(chan string, 1)
		r := newRig(t, func(c *ServerConfig) {
			c.Reported = func(agent string) {
				select {
				case news <- agent:
				default: // there is news already
				}
			}
		})
		log := NewReportLog(2 * reports)
		log.Append(Report{Node: "before"})
		bulk := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
		a := r.connected(tunnel, func(c *AgentConfig) { c.Reports = log },
			withAPI(func(w http.ResponseWriter, _ *http.Request) {
				for rest := bulk; len(rest) > 0; {
					n := min(len(rest), 1+rand.IntN(100_000))
					_, _ = w.Write(rest[:n])
					rest = rest[n:]
				}
			}))
		sums := make(chan [32]byte)
		go func() {
			resp, err := r.client(a, HostAPI).Get("http://x/")
			if assert.NoError(t, err) {
				raw, err := io.ReadAll(resp.Body)
				assert.NoError(t, err)
				_ = resp.Body.Close()
				sums <- sha256.Sum256(raw)
			}
			close(sums)
		}()
		var after Position
		var seen []string
		read := func() {
			for report, err := range r.server.KeptReports(t.Context(), a.id, after) {
				require.NoError(t, err)
				seen, after = append(seen, report.Node), report.Position()
			}
		}
		read()
		require.Equal(t, []string{"before"}, seen)
		for i := range reports {
			log.Append(Report{Node: fmt.Sprint("r", i)})
			if i%2 == 0 { // two reports are one piece of news, or two
				continue
			}
			for want := i + 2; len(seen) < want; {
				require.Equal(t, a.id, <-news)
				read()
			}
		}
		assert.Equal(t, sha256.Sum256(bulk), <-sums)
		for _, err := range r.server.KeptReports(t.Context(), "nobody", Position{}) {
			assert.ErrorIs(t, err, ErrNotConnected)
		}
	})
}

// bytesConn keeps what is written to it.
type bytesConn struct {
	net.Conn
	written bytes.Buffer
}

func (c *bytesConn) Write(p []byte) (int, error) { return c.written.Write(p) }

// frame is one of HTTP/2, of a type that nobody knows.
func frame(payload int) []byte {
	return append([]byte{byte(payload >> 16), byte(payload >> 8), byte(payload), 0xfa, 0, 0, 0, 0, 1},
		bytes.Repeat([]byte{'x'}, payload)...)
}

// TestNewsBetweenFrames checks that news waits for the end of a frame, and for the
// first one.
func TestNewsBetweenFrames(t *testing.T) {
	under := &bytesConn{}
	c := &newsConn{Conn: under}
	one, empty := frame(300), frame(0)
	require.NoError(t, c.announce())
	require.Zero(t, under.written.Len(), "SETTINGS come first")
	for _, piece := range [][]byte{one[:3], one[3:9], one[9:200]} {
		_, err := c.Write(piece)
		require.NoError(t, err)
		require.NoError(t, c.announce(), "told of together")
	}
	_, err := c.Write(one[200:])
	require.NoError(t, err)
	_, err = c.Write(empty)
	require.NoError(t, err)
	require.NoError(t, c.announce())
	want := string(one) + newsFrame + string(empty) + newsFrame
	require.Equal(t, want, under.written.String())
}

// FuzzFrames reads frames in pieces of any size: there is news where a frame is one,
// whatever stands in the others.
func FuzzFrames(f *testing.F) {
	f.Add([]byte(newsFrame), byte(3))
	f.Add([]byte(newsFrame+newsFrame[:12]), byte(1))
	f.Add(append(frame(len(newsFrame)), newsFrame...), byte(7))
	f.Add([]byte("\x00\x00\x08\x06\x01\x00\x00\x00\x00reportsx"+newsFrame), byte(4))
	f.Add([]byte("\x00\x00\x11\xfa\x00\x00\x00\x00\x00"+newsFrame), byte(20))
	f.Fuzz(func(t *testing.T, stream []byte, piece byte) {
		want, between := 0, false
		for rest := stream; len(rest) >= frameHead; {
			size := frameHead + (int(rest[0])<<16 | int(rest[1])<<8 | int(rest[2]))
			between = len(rest) == size
			if len(rest) < size {
				break
			}
			if string(rest[:size]) == newsFrame {
				want++
			}
			rest = rest[size:]
			between = len(rest) == 0
		}
		var in frames
		news := 0
		for rest := stream; len(rest) > 0; {
			n := min(len(rest), int(piece)%40+1)
			if n > len(newsFrame) { // then one piece may hold two
				n = len(newsFrame)
			}
			if in.follow(rest[:n]) {
				news++
			}
			rest = rest[n:]
		}
		require.Equal(t, want, news)
		require.Equal(t, between, in.between())
	})
}
