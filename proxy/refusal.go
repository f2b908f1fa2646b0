package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/openecp/openecp/ecp"
)

// Refusal is an error of ours that HTTP knows more of than its code says.
type Refusal struct {
	Status int // 0 = the code's own
	Err    *ecp.Error
}

// Error gives the text for users.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap gives the error itself.
func (r *Refusal) Unwrap() error { return r.Err }

// badPath is the status of a path that is not well-formed.
const badPath = http.StatusBadRequest

func refuse(status int, code ecp.Code, message string) *Refusal {
	return &Refusal{status, &ecp.Error{Code: code, Op: "pass the request on", Message: message}}
}

// Why an exchange with a broker is given up.
var (
	errIdle     = errors.New("nothing was sent for too long")
	errOverlong = errors.New("it has taken too long")
	errTooLarge = errors.New("the answer is too large")
	errRedirect = errors.New("the broker answered with a redirect")
	errCrowded  = errors.New("too many exchanges last long")
)

// refusalOf says what the caller is told of an exchange that has failed before an
// answer began. The error itself may hold addresses, and is for the log.
func refusalOf(ctx context.Context, err error, in *bodyIn, b Bounds) *Refusal {
	cause := context.Cause(ctx)
	var r *Refusal
	if errors.Is(cause, errCrowded) {
		return &Refusal{0, &ecp.Error{Code: ecp.CodeThrottled, Op: "pass the request on", Message: crowded, RetryAfter: lastsAfter, Cause: err}}
	}
	var ours *ecp.Error // of a way that answered in place of the broker
	switch fault := in.fault(cause); {
	case fault == http.StatusRequestEntityTooLarge:
		return refuse(fault, ecp.CodeInvalid, "the body is too large; "+inMiB(b.Body)+" are allowed")
	case fault != 0:
		return refuse(fault, ecp.CodeInvalid, "the body did not arrive in time")
	case errors.As(err, &ours):
		return &Refusal{0, ours}
	case errors.Is(err, errTooLarge):
		r = refuse(http.StatusBadGateway, ecp.CodeUnavailable, "the broker's answer is larger than "+inMiB(b.Answer)+"; ask for less at a time")
	case errors.Is(err, errRedirect):
		r = refuse(http.StatusBadGateway, ecp.CodeUnavailable, "the broker answered with a redirect, which is not followed")
	case errors.Is(cause, errIdle), errors.Is(cause, errOverlong):
		r = refuse(http.StatusGatewayTimeout, ecp.CodeUnavailable, "the broker did not answer in time; what was asked of it may have been done all the same")
	default:
		r = refuse(0, ecp.CodeUnavailable, "the broker cannot be reached, or broke the connection off; what was asked of it may have been done all the same")
	}
	r.Err.Cause = err
	return r
}

// crowded is what an exchange is told that was ended because it found no long place.
const crowded = "the broker did not answer within 5 seconds, and as many slow requests as may run at once do already, in all, to this cluster or of yours; " +
	"wait until one of them has ended; what was asked of the broker may have been done all the same"

func inMiB(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
