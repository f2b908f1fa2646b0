package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/openecp/openecp/ecp"
)

// Refusal is an error of this package, with the HTTP status that fits it better than
// the usual one of its code.
type Refusal struct {
	Status int // 0 means the usual status of the code
	Err    *ecp.Error
}

// Error returns the text for users.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns Err.
func (r *Refusal) Unwrap() error { return r.Err }

// passOn is what an error of this package says was being done.
const passOn = "pass the request on"

func refuse(status int, code ecp.Code, message string) *Refusal {
	return &Refusal{status, &ecp.Error{Code: code, Op: passOn, Message: message}}
}

// Why an exchange with a broker is ended.
var (
	errIdle     = errors.New("nothing was sent for too long")
	errOverlong = errors.New("it has taken too long")
	errTooLarge = errors.New("the response is too large")
	errRedirect = errors.New("the broker answered with a redirect")
	errOverload = errors.New("too many exchanges last long")
)

// refusalOf returns what the caller learns of an exchange that failed before the
// response began. The error itself may hold addresses; it is for the log.
func refusalOf(ctx context.Context, err error, in *requestBody, b Bounds) *Refusal {
	cause := context.Cause(ctx)
	if errors.Is(cause, errOverload) {
		return &Refusal{0, &ecp.Error{
			Code: ecp.CodeThrottled, Op: passOn, Message: overloaded, RetryAfter: usualLongAfter, Cause: err,
		}}
	}
	var r *Refusal
	var known *ecp.Error // of a transport that answered in place of the broker
	switch status := in.faultStatus(cause); {
	case status == http.StatusRequestEntityTooLarge:
		return refuse(status, ecp.CodeInvalid, "the body is too large; "+inMiB(b.Body)+" are allowed")
	case status != 0:
		return refuse(status, ecp.CodeInvalid, "the body did not arrive in time")
	case errors.As(err, &known):
		return &Refusal{0, known}
	case errors.Is(err, errTooLarge):
		r = refuse(http.StatusBadGateway, ecp.CodeUnavailable,
			"the broker's answer is larger than "+inMiB(b.Answer)+"; ask for less at a time")
	case errors.Is(err, errRedirect):
		r = refuse(http.StatusBadGateway, ecp.CodeUnavailable,
			"the broker answered with a redirect, which is not followed")
	case errors.Is(cause, errIdle), errors.Is(cause, errOverlong):
		r = refuse(http.StatusGatewayTimeout, ecp.CodeUnavailable, "the broker did not answer in time; "+mayBeDone)
	default:
		r = refuse(0, ecp.CodeUnavailable, "the broker cannot be reached, or closed the connection; "+mayBeDone)
	}
	r.Err.Cause = err
	return r
}

// mayBeDone ends errors that do not tell whether the broker has done its part.
const mayBeDone = "what was asked of it may have been done all the same"

// overloaded is what a caller learns whose exchange lasted and found no long slot.
const overloaded = "the broker did not answer within 5 seconds, and as many slow requests as are allowed are running " +
	"already, in all, to this cluster or of yours; wait until one of them has ended; " +
	"what was asked of the broker may have been done all the same"

func inMiB(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
