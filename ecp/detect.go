package ecp

import (
	"context"
	"errors"
	"net/url"
)

// Detector is an Adapter that finds out whether an EMQX of its major answers.
type Detector interface {
	// Detect says what answers at e. Without credentials it tells what the
	// broker tells everybody, which from some versions on is the major only.
	//
	// The error is unsupported where something else answers, or an EMQX that
	// cannot be managed: it says what was found and what is needed. Denied
	// where credentials were given and refused, unavailable where nothing
	// answers. The Detection then holds all the same what is known.
	Detect(ctx context.Context, e Endpoint) (Detection, error)
}

// Detection is what was found behind an endpoint.
type Detection struct {
	Major         int    `json:"major"`             // 0 = no EMQX that is known
	Version       string `json:"version,omitempty"` // e.g. "5.8.9"; "" = not told
	Edition       string `json:"edition,omitempty"` // as [Description.Edition]
	Authenticated bool   `json:"authenticated"`     // the credentials were taken
}

// Detect asks each adapter that is a [Detector] until one finds its major
// behind e. The error is that of the adapter whose EMQX answers, else the one
// that says most: a refusal, an outage or a redirect before "something else
// answers".
func Detect(ctx context.Context, e Endpoint, adapters ...Adapter) (Detection, error) {
	op := "detect EMQX"
	if u, err := url.Parse(e.BaseURL); err == nil && u.Host != "" {
		op += " at " + u.Scheme + "://" + u.Host // without what may be secret
	}
	var worst error
	var strangers []error
	for _, a := range adapters {
		d, ok := a.(Detector)
		if !ok {
			continue
		}
		found, err := d.Detect(ctx, e)
		if err == nil || found.Major != 0 || ctx.Err() != nil {
			return found, err
		}
		if errors.Is(err, ErrUnsupported) && !redirects(err) {
			strangers = append(strangers, err)
		} else if worst == nil {
			worst = err
		}
	}
	switch {
	case worst != nil:
		var said *Error
		if errors.As(worst, &said) { // which adapter asked first says nothing of what is there
			worst = &Error{Code: said.Code, Op: op, Message: said.Message, Fields: said.Fields, Cause: worst}
		}
		return Detection{}, worst
	case len(strangers) == 0:
		return Detection{}, NewError(CodeUnsupported, op, "no adapter can tell what answers; configure those of EMQX 4 and 5")
	}
	return Detection{}, &Error{
		Code: CodeUnsupported, Op: op, Cause: errors.Join(strangers...),
		Message: "found no EMQX at this address; check host and port: the dashboard's is 18083 as a rule, that of EMQX 4's management API 8081",
	}
}

// redirects says that what answered names another address, as in the scheme's
// being another: that is worth more than that it is no EMQX.
func redirects(err error) bool {
	var said *BrokerError
	return errors.As(err, &said) && said.Status/100 == 3
}
