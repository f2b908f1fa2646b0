package k8sprovisioner

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/openecp/openecp/ecp"
)

// invalid says what is wrong with one field of a Desired.
func invalid(field, format string, args ...any) error {
	return &ecp.Error{
		Code: ecp.CodeInvalid, Op: "render", Message: "the cluster cannot be made as asked",
		Fields: []ecp.FieldError{{Field: field, Message: fmt.Sprintf(format, args...)}},
	}
}

// failure turns an error of the Kubernetes API into one of ours. op says what
// was being done, to what. nil gives nil; one of ours passes unchanged.
func failure(op string, err error) error {
	var own *ecp.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: unanswered(err), Cause: err}
	}
	code, hint := classify(err, int(status.Status().Code))
	return &ecp.Error{Code: code, Op: op, Message: "Kubernetes says: " + status.Status().Message + hint, Cause: err}
}

func unanswered(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "the Kubernetes API did not answer in time; it is tried again"
	}
	if errors.Is(err, context.Canceled) {
		return "it was given up"
	}
	return "the Kubernetes API does not answer; it is tried again"
}

// rights is the hint for a refusal.
const rights = "; if a right is missing, compare the account's with the ClusterRole in deploy/kubernetes"

func classify(err error, status int) (ecp.Code, string) {
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return ecp.CodeConflict, ""
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return ecp.CodeDenied, rights
	case status == http.StatusConflict:
		return ecp.CodeConflict, ""
	case status == http.StatusUnprocessableEntity || status == http.StatusBadRequest:
		return ecp.CodeInvalid, ""
	}
	// 429, 5xx, and 404 of something that went while we were at it.
	return ecp.CodeUnavailable, "; it is tried again"
}

func conflict(op, message string, cause error) error {
	return &ecp.Error{Code: ecp.CodeConflict, Op: op, Message: message, Cause: cause}
}

func unavailable(op, message string) error {
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: message}
}

// loss says that something has gone that does not come back unasked.
func loss(op string, reason ecp.Reason, what string) error {
	l := &ecp.Loss{Reason: reason, What: what}
	return conflict(op, what+" has gone and is not made anew unasked; repair accepts the loss", l)
}
