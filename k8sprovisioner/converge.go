package k8sprovisioner

import (
	"context"
	"errors"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/openecp/openecp/ecp"
)

// misses are the objects that could not be converged, with the reason.
type misses []miss

type miss struct {
	object
	err error // one of ours; nil = it waits for one of the others
}

// needed reports whether the StatefulSet must not be written without an object:
// nodes would start with another configuration, without names, or open to
// anybody.
func needed(o object, n names) bool {
	return slices.Contains([]string{
		kindNamespace + " " + n.namespace(), kindConfigMap + " " + n.config(), kindService + " " + n.headless(), kindPolicy + " " + n.workload(),
	}, o.String())
}

// convergeAll writes the objects that differ. One that is not taken holds up
// none that does not need it; where the API server does not answer at all the
// rest is not tried.
func (p *Provisioner) convergeAll(ctx context.Context, f found, n names, objects []object, op string) misses {
	var out misses
	for _, o := range objects {
		if len(out) > 0 && (o.kind == kindStatefulSet && slices.ContainsFunc(out, func(m miss) bool { return needed(m.object, n) }) || out.silent()) {
			out = append(out, miss{object: o})
			continue
		}
		if err := p.converge(ctx, f, o); err != nil {
			out = append(out, miss{o, failure(op+": "+o.String(), err)})
		}
	}
	return out
}

// silent reports whether the API server did not answer the last of them.
func (m misses) silent() bool {
	err := m[len(m)-1].err
	return err == nil || !errors.As(err, new(apierrors.APIStatus))
}

// nodes reports whether the StatefulSet is among them.
func (m misses) nodes() bool {
	return slices.ContainsFunc(m, func(m miss) bool { return m.kind == kindStatefulSet })
}

// err returns them as one error; nil if there is none. What may succeed later
// comes first: only where nothing but definite refusals is left is it one. rest:
// pods and claims are as asked, too.
func (m misses) err(rest bool) error {
	var what, why []string
	var all []error
	for _, x := range m {
		switch {
		case x.err == nil:
		case ecp.CodeOf(x.err) != ecp.CodeInvalid:
			return x.err
		default:
			what, why, all = append(what, x.String()), append(why, strings.TrimPrefix(message(x.err), says)), append(all, x.err)
		}
	}
	if len(all) == 0 {
		return nil
	}
	r := &ecp.Refusal{What: strings.Join(what, ", "), Why: strings.Join(why, "; "), Rest: rest}
	return &ecp.Error{Code: ecp.CodeInvalid, Op: "apply " + r.What, Message: says + r.Why, Cause: errors.Join(append([]error{r}, all...)...)}
}

// message is what an error of ours says, without what was being done.
func message(err error) string {
	var own *ecp.Error
	if errors.As(err, &own) {
		return own.Message
	}
	return ecp.MessageOf(err)
}
