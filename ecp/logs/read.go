package logs

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/internal/emqxlog"
)

// Read reads the logs of a cluster's nodes, of a hosted one's from its pods and of an
// adopted one's through its agents: the newest lines by time,
// then, where the query says so, what is written from then on, also by nodes
// whose pods are replaced and by new ones. A node whose log cannot be read
// yields a line with a Gap, and the others are read all the same. The sequence
// ends with the history, with ctx, or with an error, such as not found when the
// cluster is gone or cannot be seen any more. Who takes lines slowly holds up
// nobody else. The error refuses the query; nothing has then been read.
func (m *Reader) Read(ctx context.Context, id ecp.ID, q ecp.LogQuery) (iter.Seq2[ecp.LogLine, error], error) {
	op := "read logs of " + string(id)
	q, err := checkedQuery(q, op)
	if err != nil {
		return nil, err
	}
	rec, err := m.observed.LoadReadable(ctx, op, ecp.RightRead, id)
	if err != nil {
		return nil, err
	}
	r := &logStream{m: m, op: op, id: id, q: q}
	if r.from, err = m.logSource(op, rec, q.Node); err != nil {
		return nil, fault.Wrap(op, err)
	}
	nodes, err := r.from.nodes(ctx)
	if err != nil {
		return nil, fault.Wrap(op, err)
	}
	if q.Node != "" && len(nodes) == 0 {
		return nil, ecp.NewError(ecp.CodeNotFound, op,
			fmt.Sprintf("the cluster has no pod or agent of a node %q now", q.Node))
	}
	return func(yield func(ecp.LogLine, error) bool) { r.read(ctx, nodes, yield) }, nil
}

// checkedQuery returns the query with its defaults, or says what is wrong with it.
func checkedQuery(q ecp.LogQuery, op string) (ecp.LogQuery, error) {
	var wrong []ecp.FieldError
	if q.Level != "" && !emqxlog.Level(q.Level).Valid() {
		wrong = append(wrong, ecp.FieldError{Field: "level", Message: "is none of " +
			strings.Join(words(ecp.LogLevels()), ", ")})
	}
	if q.Limit < 0 || q.Limit > ecp.MaxLogLimit {
		wrong = append(wrong, ecp.FieldError{Field: "limit",
			Message: fmt.Sprintf("is %d; 1 to %d are allowed", q.Limit, ecp.MaxLogLimit)})
	}
	switch {
	case q.Until.IsZero():
	case q.Follow:
		wrong = append(wrong, ecp.FieldError{Field: "until",
			Message: "cannot be given together with follow, which has no end"})
	case q.Until.Before(q.Since):
		wrong = append(wrong, ecp.FieldError{Field: "until", Message: "is before since"})
	}
	if len(wrong) > 0 {
		return q, &ecp.Error{Code: ecp.CodeInvalid, Op: op, Message: "the query is not valid", Fields: wrong}
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
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

// wanted reports whether a line is asked for; q is checked.
func wanted(q ecp.LogQuery, l ecp.LogLine) bool {
	return emqxlog.Level(l.Level).AtLeast(emqxlog.Level(q.Level)) &&
		!l.At.Before(q.Since) && (q.Until.IsZero() || l.At.Before(q.Until)) &&
		(q.Query == "" || strings.Contains(strings.ToLower(l.Raw), q.Query))
}

// unfiltered: the last lines of a log are those that are asked for.
func unfiltered(q ecp.LogQuery) bool { return q.Level == "" && q.Query == "" && q.Until.IsZero() }

// defaultLimit is how many lines of history are read unless the query says otherwise.
const defaultLimit = 500
