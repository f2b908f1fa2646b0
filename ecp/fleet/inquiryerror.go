package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/derive"
)

// final says that every node would say the same. What is denied by anybody but
// the broker is a matter of how it is reached.
func final(err error) bool {
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

// refused is the error for what one node says, in its words.
func (q inquiry) refused(rec ecp.ClusterRecord, node string, err error) error {
	out := ecp.Error{Code: ecp.CodeOf(err), Op: q.op, Message: reasonOf(err), Cause: err}
	if out.Code == ecp.CodeInternal { // it is the broker that went wrong, and the log has how
		out.Code = ecp.CodeUnavailable
	}
	if node != "" {
		out.Message = node + ": " + out.Message
	}
	switch {
	case out.Code == ecp.CodeDenied && rec.Mode == ecp.Adopted:
		out.Message = "EMQX refuses the credentials of the agent beside it, not yours: " + out.Message + "; " + derive.HowToLogIn
	case out.Code == ecp.CodeDenied:
		out.Message = "EMQX refuses the credentials that are kept for it, not yours: " + out.Message
	}
	return &out
}

// untimely is the error for a question that ended before its answer: because
// whoever asked went away, else for the reason given.
func (q inquiry) untimely(ctx context.Context, why string, cause error) error {
	if ctx.Err() != nil {
		return ecp.WrapError(q.op, ctx.Err(), "", "")
	}
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: q.op, Message: why, Cause: cause}
}

// reasonOf is what an error says, without what was being done.
func reasonOf(err error) string {
	var e *ecp.Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return ecp.MessageOf(err)
}

// refusals is what nodes have said instead of answers.
type refusals struct {
	reasons []string            // each once
	nodes   map[string][]string // by reason
	causes  []error
}

func (r *refusals) add(node string, err error) {
	if node == "" {
		node = "any node"
	}
	why := reasonOf(err)
	if r.nodes == nil {
		r.nodes = map[string][]string{}
	}
	if !slices.Contains(r.reasons, why) {
		r.reasons = append(r.reasons, why)
	}
	r.nodes[why] = append(r.nodes[why], node)
	r.causes = append(r.causes, err)
}

// String gives every reason with its nodes behind it: names are long, and where
// the text is cut short a reason counts for more.
func (r *refusals) String() string {
	parts := make([]string, len(r.reasons))
	for i, why := range r.reasons {
		parts[i] = why + " (" + strings.Join(r.nodes[why], ", ") + ")"
	}
	return strings.Join(parts, "; ")
}
