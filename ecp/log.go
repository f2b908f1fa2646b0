package ecp

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/openecp/openecp/internal/emqxlog"
)

// LogLevel is how severe a line of a log is.
type LogLevel string

// LogLevels lists EMQX' levels, the least severe first.
func LogLevels() []LogLevel {
	var out []LogLevel
	for _, l := range emqxlog.Levels() {
		out = append(out, LogLevel(l))
	}
	return out
}

// How many lines of history are given, unless asked otherwise and at most.
const (
	DefaultLogLimit = 500
	MaxLogLimit     = 10_000
)

// LogQuery says what of a cluster's logs is wanted. The zero value is the
// newest lines of all nodes.
type LogQuery struct {
	Node  string   // by its EMQX name; "" = all
	Level LogLevel // the least severe; "" = every line, also those without a level
	Query string   // stands in the line, whatever the case; "" = anything
	Since time.Time
	Until time.Time // not with Follow
	Limit int       // lines of history; 0 = DefaultLogLimit
	// Follow goes on with what is written after the history until ctx ends.
	Follow bool
}

// LogLine is one entry of a node's log, with the lines that belong to it.
type LogLine struct {
	// At is UTC: when it was written where the line says so with its zone, else
	// when the platform took it up, or as the agent's host has it.
	At      time.Time
	Node    string
	Level   LogLevel          // "" = none, as of what is printed at a start
	Message string            // without what is told by the other fields
	Fields  map[string]string // a reading of the line, such as clientid and peername; nil = none
	Raw     string            // as EMQX wrote it; may have several lines
	Cut     bool              // it was longer than 64 KiB
	// Gap says that lines of the node are missing here, and why; nothing but
	// At and Node is then set beside it.
	Gap string

	mark string // where reading goes on behind it; empty where lines have no marks
}

// Logs reads the logs of a cluster's nodes, of a hosted one's from its pods and of an
// adopted one's through its agents: the newest lines by time,
// then, where the query says so, what is written from then on, also by nodes
// whose pods are replaced and by new ones. A node whose log cannot be read
// yields a line with a Gap, and the others are read all the same. The sequence
// ends with the history, with ctx, or with an error, such as not found when the
// cluster is gone or cannot be seen any more. Who takes lines slowly holds up
// nobody else. The error refuses the query; nothing has then been read.
func (m *Manager) Logs(ctx context.Context, id ID, q LogQuery) (iter.Seq2[LogLine, error], error) {
	op := "read logs of " + string(id)
	q, err := checkedQuery(q, op)
	if err != nil {
		return nil, err
	}
	rec, err := m.readable(ctx, op, RightRead, id)
	if err != nil {
		return nil, err
	}
	r := &logs{m: m, op: op, id: id, q: q}
	if r.from, err = m.logSource(op, rec, q.Node); err != nil {
		return nil, explain(op, err, "", "")
	}
	nodes, err := r.from.nodes(ctx)
	if err != nil {
		return nil, explain(op, err, "", "")
	}
	if q.Node != "" && len(nodes) == 0 {
		return nil, fail(CodeNotFound, op, fmt.Sprintf("the cluster has no pod or agent of a node %q now", q.Node))
	}
	return func(yield func(LogLine, error) bool) { r.read(ctx, nodes, yield) }, nil
}

// checkedQuery gives the query with its defaults, or says what is wrong with it.
func checkedQuery(q LogQuery, op string) (LogQuery, error) {
	var wrong []FieldError
	if q.Level != "" && !emqxlog.Level(q.Level).Valid() {
		wrong = append(wrong, FieldError{"level", "is none of " + strings.Join(words(LogLevels()), ", ")})
	}
	if q.Limit < 0 || q.Limit > MaxLogLimit {
		wrong = append(wrong, FieldError{"limit", fmt.Sprintf("is %d; 1 to %d are allowed", q.Limit, MaxLogLimit)})
	}
	switch {
	case q.Until.IsZero():
	case q.Follow:
		wrong = append(wrong, FieldError{"until", "cannot be given together with follow, which has no end"})
	case q.Until.Before(q.Since):
		wrong = append(wrong, FieldError{"until", "is before since"})
	}
	if len(wrong) > 0 {
		return q, &Error{Code: CodeInvalid, Op: op, Message: "the query is not valid", Fields: wrong}
	}
	if q.Limit == 0 {
		q.Limit = DefaultLogLimit
	}
	q.Query = strings.ToLower(q.Query)
	return q, nil
}

func words[T ~string](list []T) (out []string) {
	for _, w := range list {
		out = append(out, string(w))
	}
	return out
}

// wanted says whether a line is asked for; q is checked.
func wanted(q LogQuery, l LogLine) bool {
	return emqxlog.Level(l.Level).AtLeast(emqxlog.Level(q.Level)) &&
		!l.At.Before(q.Since) && (q.Until.IsZero() || l.At.Before(q.Until)) &&
		(q.Query == "" || strings.Contains(strings.ToLower(l.Raw), q.Query))
}

// unfiltered: the last lines of a log are those that are asked for.
func unfiltered(q LogQuery) bool { return q.Level == "" && q.Query == "" && q.Until.IsZero() }
