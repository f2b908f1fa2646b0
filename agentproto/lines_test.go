package agentproto

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWaitingForALineHoldsLittle: a server waits for the next report of every
// agent, with a buffer that does not stay as long as the last report was.
func TestWaitingForALineHoldsLittle(t *testing.T) {
	for _, length := range []int{10, lineBuffer, 900, 3 * lineBuffer, 100_000} {
		var waits int // the room with which it asks for what is not there yet
		in := &lines{text: strings.Repeat(strings.Repeat("x", length)+"\n", 3),
			drained: func(room int) { waits = room }}
		l := lineReader{in: in, max: maxReportBytes}
		for range 3 {
			line, err := l.next()
			require.NoError(t, err)
			require.Len(t, line, length)
		}
		_, err := l.next()
		require.ErrorIs(t, err, io.EOF)
		require.LessOrEqual(t, waits, lineBuffer, "after lines of %d bytes", length)
		require.LessOrEqual(t, cap(l.buf), lineBuffer, "after lines of %d bytes", length)
	}
}

// lines gives one line at a time, as reports come, and then tells of whoever waits
// for more.
type lines struct {
	text    string
	drained func(room int)
}

func (l *lines) Read(p []byte) (int, error) {
	if l.text == "" {
		l.drained(len(p))
		return 0, io.EOF
	}
	n := copy(p, l.text[:strings.IndexByte(l.text, '\n')+1])
	l.text = l.text[n:]
	return n, nil
}
