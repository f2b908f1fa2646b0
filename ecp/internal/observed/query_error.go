package observed

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/fault"
)

func (q Query) Invalid(field, says string) error {
	return &ecp.Error{Code: ecp.CodeInvalid, Op: q.Op, Message: "the question contradicts the rules",
		Fields: []ecp.FieldError{{Field: field, Message: says}}}
}

// IsFinal reports whether every node would say the same. What is denied by anybody but
// the broker is a matter of how it is reached.
func IsFinal(err error) bool {
	switch ecp.CodeOf(err) {
	case ecp.CodeDenied:
		var said *ecp.BrokerError
		return errors.As(err, &said)
	case ecp.CodeUnsupported, ecp.CodeInvalid:
		return true
	default:
		return false
	}
}

// refusedBy is the error for what one node says, in its words.
func (q Query) refusedBy(rec ecp.ClusterRecord, node string, err error) error {
	out := ecp.Error{Code: ecp.CodeOf(err), Op: q.Op, Message: ReasonOf(err), Cause: err}
	if out.Code == ecp.CodeInternal { // it is the broker that went wrong, and the log has how
		out.Code = ecp.CodeUnavailable
	}
	if node != "" {
		out.Message = node + ": " + out.Message
	}
	switch {
	case out.Code == ecp.CodeDenied && rec.Mode == ecp.Adopted:
		out.Message = "EMQX refuses the credentials of the agent beside it, not yours: " + out.Message + "; " +
			adopted.HowToLogIn
	case out.Code == ecp.CodeDenied:
		out.Message = "EMQX refuses the credentials that are kept for it, not yours: " + out.Message
	}
	return &out
}

// TimeoutError is the error for a question that ended before its answer: because
// whoever asked went away, else for the reason given.
func (q Query) TimeoutError(ctx context.Context, why string, cause error) error {
	if ctx.Err() != nil {
		return fault.Wrap(q.Op, ctx.Err())
	}
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: q.Op, Message: why, Cause: cause}
}

// ReasonOf is what an error says, without what was being done.
func ReasonOf(err error) string {
	var e *ecp.Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return ecp.MessageOf(err)
}

// NodeErrors is what nodes have said instead of answers.
type NodeErrors struct {
	reasons []string            // each once
	nodes   map[string][]string // by reason
	Causes  []error
}

func (r *NodeErrors) Add(node string, err error) {
	if node == "" {
		node = "any node"
	}
	why := ReasonOf(err)
	if r.nodes == nil {
		r.nodes = map[string][]string{}
	}
	if !slices.Contains(r.reasons, why) {
		r.reasons = append(r.reasons, why)
	}
	r.nodes[why] = append(r.nodes[why], node)
	r.Causes = append(r.Causes, err)
}

// String returns every reason with its nodes behind it: names are long, and where
// the text is cut short a reason counts for more.
func (r *NodeErrors) String() string {
	parts := make([]string, len(r.reasons))
	for i, why := range r.reasons {
		parts[i] = why + " (" + strings.Join(r.nodes[why], ", ") + ")"
	}
	return strings.Join(parts, "; ")
}

// WordsOf returns what a broker itself said, else what the error says.
func WordsOf(err error) string {
	var said *ecp.BrokerError
	if errors.As(err, &said) && said.Error() != "" {
		return said.Error()
	}
	return ecp.MessageOf(err)
}
