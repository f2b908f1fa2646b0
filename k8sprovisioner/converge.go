package k8sprovisioner

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// applyErrors are the objects that could not be converged, with the reason.
type applyErrors []objectError

type objectError struct {
	object
	err error // from this package; nil if the object waits for one of the others
}

// isRequired reports whether the StatefulSet must not be written without an object:
// nodes would start with another configuration, without names, or open to everybody.
func isRequired(o object, n names) bool {
	return slices.Contains([]string{
		kindNamespace + " " + n.namespace(), kindConfigMap + " " + n.config(), kindService + " " + n.headless(),
		kindPolicy + " " + n.workload(),
	}, o.String())
}

// convergeAll writes the objects that differ. An object that is refused holds up only
// those that need it. If the API server does not answer, the rest is not tried.
func (p *Provisioner) convergeAll(ctx context.Context, f clusterObjects, n names, objects []object,
	op string) applyErrors {
	var out applyErrors
	for _, o := range objects {
		if len(out) > 0 && (o.kind == kindStatefulSet &&
			slices.ContainsFunc(out, func(m objectError) bool { return isRequired(m.object, n) }) || out.unanswered()) {
			out = append(out, objectError{object: o})
			continue
		}
		if err := p.converge(ctx, f, o); err != nil {
			out = append(out, objectError{o, failure(op+": "+o.String(), err)})
		}
	}
	return out
}

// unanswered reports whether the API server did not answer the last of them.
func (m applyErrors) unanswered() bool {
	err := m[len(m)-1].err
	return err == nil || !errors.As(err, new(apierrors.APIStatus))
}

// hasWorkload reports whether the StatefulSet is among them.
func (m applyErrors) hasWorkload() bool {
	return slices.ContainsFunc(m, func(m objectError) bool { return m.kind == kindStatefulSet })
}

// joined returns them as one error; nil if there is none. What may succeed later
// comes first: only where nothing but definite refusals is left is it one. rest:
// pods and claims are as asked, too.
func (m applyErrors) joined(rest bool) error {
	var what, why []string
	var all []error
	for _, x := range m {
		switch {
		case x.err == nil:
		case ecp.CodeOf(x.err) != ecp.CodeInvalid:
			return x.err
		default:
			what, why, all = append(what, x.String()), append(why, strings.TrimPrefix(message(x.err), kubernetesSays)),
				append(all, x.err)
		}
	}
	if len(all) == 0 {
		return nil
	}
	r := &ecp.Refusal{What: strings.Join(what, ", "), Why: strings.Join(why, "; "), Rest: rest}
	return &ecp.Error{Code: ecp.CodeInvalid, Op: "apply " + r.What, Message: kubernetesSays + r.Why,
		Cause: errors.Join(append([]error{r}, all...)...)}
}

// message returns the message of an error of this package, without the operation.
func message(err error) string {
	var own *ecp.Error
	if errors.As(err, &own) {
		return own.Message
	}
	return ecp.MessageOf(err)
}
