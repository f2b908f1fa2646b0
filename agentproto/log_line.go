package agentproto

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// Limits of what travels of logs, in bytes.
const (
	// maxLogText bounds the text of one entry.
	maxLogText = 64 << 10
	// maxLogSought bounds the text that a query looks for.
	maxLogSought = 4 << 10
	// maxLogMark bounds a mark.
	maxLogMark = 1 << 10
	// maxLogMessage bounds a message on the wire: a text is longer there, where its
	// characters have to be escaped.
	maxLogMessage = 512 << 10
	// logPage is what an agent sends of a log before the server has to ask again: a
	// reader that stops holds no more than this in the server's memory.
	logPage = 512 << 10
	// maxLogReaders is how many logs an agent sends at once.
	maxLogReaders = 32
)

// LogQuery selects lines of an agent's log files. The zero value selects all of
// them.
type LogQuery struct {
	After  string    // the mark of a line; only lines after it. An empty mark is before all lines
	Since  time.Time // only entries at this time or later
	Until  time.Time // only entries before this time
	Tail   int       // only so many of the newest selected entries; 0 means all
	Level  string    // only entries that are at least so severe; empty means all
	Text   string    // only entries that contain this text, in upper or lower case
	Follow bool      // go on with new lines
}

// LogLine is an entry of a log file, or a notice about the reading. It is untrusted: the
// sizes and the time are bounded, and nothing else is checked.
type LogLine struct {
	At   time.Time `json:"at,omitzero"`    // when it was written, as far as is known
	Text string    `json:"text,omitempty"` // an entry, which may have several lines
	// Mark is the place behind this line, for [LogQuery].After. Only the agent can read it.
	Mark string `json:"mark,omitempty"`
	Cut  bool   `json:"cut,omitempty"` // Text is only the beginning of the entry
	// Gap is why lines are missing here; it is empty if none are. Text is then empty.
	Gap string `json:"gap,omitempty"`
	// Passed means that this is no entry: the log was read up to the mark, and the query
	// selected nothing of it.
	Passed bool `json:"passed,omitempty"`
}

// LogCode is the reason for which an agent does not send a log.
type LogCode string

// The codes of a [LogError].
const (
	LogUnsupported LogCode = "unsupported" // the agent knows nothing of logs: it is too old
	LogDisabled    LogCode = "disabled"    // it is not allowed to read them
	LogUnreadable  LogCode = "unreadable"  // it cannot read them
	LogBusy        LogCode = "busy"        // it sends too many already
	LogBadQuery    LogCode = "bad_query"   // the query cannot be understood
	LogStopped     LogCode = "stopped"     // the agent stops
)

// LogError is the error of an agent that does not send a log, or does not go on.
type LogError struct {
	Code    LogCode `json:"code"`
	Message string  `json:"message"` // for people; no secrets
}

// Error returns the message.
func (e *LogError) Error() string {
	if e.Message == "" {
		return string(e.Code)
	}
	return e.Message
}

// How a page of a log ends.
const (
	logDone = "done" // there is no more
	logMore = "more" // the server has to ask again, after the last mark
)

// logMessage is what travels: a line, or the end of a page.
type logMessage struct {
	LogLine
	End   string    `json:"end,omitempty"`
	Error *LogError `json:"error,omitempty"`
}

// encode appends the message as it travels.
func (m logMessage) encode(out *bytes.Buffer) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(m)
}

// bounded returns the line as it may travel. The text of a file may be no valid UTF-8.
func (l LogLine) bounded() LogLine {
	var cut bool
	l.Text, cut = clipText(strings.ToValidUTF8(l.Text, "\uFFFD"), maxLogText)
	l.Cut = l.Cut || cut
	l.Gap = cleanText(l.Gap, maxMessage)
	if y := l.At.Year(); y < 1980 || y > 9998 { // what JSON could not show
		l.At = time.Time{}
	}
	l.At = l.At.UTC()
	return l
}

func clipText(s string, most int) (string, bool) {
	if len(s) <= most {
		return s, false
	}
	return strings.ToValidUTF8(s[:most], ""), true
}

// errLogMessageTooLarge is the error for an agent that sends more than the protocol allows.
var errLogMessageTooLarge = fmt.Errorf("a message of a log is larger than %d bytes", maxLogMessage)

// decodeLogs reads the messages of one page: lines, and more if there is another page.
// A page without an end has broken off.
func decodeLogs(in io.Reader) iter.Seq2[logMessage, error] {
	return func(yield func(logMessage, error) bool) {
		lines := bufio.NewReaderSize(in, logBatch)
		var buf []byte
		for {
			raw, err := readLogMessage(lines, buf[:0])
			buf = raw
			var m logMessage
			if err == nil {
				m, err = decodeLogMessage(raw)
			}
			if err != nil {
				yield(logMessage{}, err)
				return
			}
			if !yield(m, nil) || m.End != "" {
				return
			}
		}
	}
}

// readLogMessage appends the next line to buf. An unfinished line at the end is no
// message.
func readLogMessage(in *bufio.Reader, buf []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		if buf = append(buf, part...); len(buf) > maxLogMessage {
			return nil, errLogMessageTooLarge
		}
		switch {
		case err == nil:
			return buf, nil
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

func decodeLogMessage(raw []byte) (m logMessage, err error) {
	if err := json.Unmarshal(raw, &m); err != nil {
		return logMessage{}, fmt.Errorf("not a message of a log: %w", err)
	}
	switch {
	case m.Error != nil:
		return logMessage{}, m.Error.cleaned()
	case m.End != "" && m.End != logDone && m.End != logMore:
		return logMessage{}, fmt.Errorf("a page of a log ends with %q", cleanText(m.End, maxID))
	case len(m.Mark) > maxLogMark:
		return logMessage{}, fmt.Errorf("a mark has more than %d bytes", maxLogMark)
	}
	m.LogLine = m.bounded()
	return m, nil
}

// cleaned returns the error with a message fit to be shown.
func (e *LogError) cleaned() *LogError {
	return &LogError{Code: LogCode(cleanText(string(e.Code), maxID)), Message: cleanText(e.Message, maxMessage)}
}
