package k8sprovisioner

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// invalid returns an error about one field of a Desired.
func invalid(field, format string, args ...any) error {
	return &ecp.Error{
		Code: ecp.CodeInvalid, Op: "render", Message: "the cluster cannot be made as asked",
		Fields: []ecp.FieldError{{Field: field, Message: fmt.Sprintf(format, args...)}},
	}
}

// failure turns an error of the Kubernetes API into an [ecp.Error]. op names the
// operation and its object. It returns nil for nil, and an [ecp.Error] unchanged.
func failure(op string, err error) error {
	var own *ecp.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: transportMessage(err), Cause: err}
	}
	code, hint := classify(err, status.Status())
	return &ecp.Error{Code: code, Op: op, Message: kubernetesSays + status.Status().Message + hint, Cause: err}
}

// kubernetesSays precedes the API server's own words.
const kubernetesSays = "Kubernetes says: "

// credentialsHint is the hint if the API server does not accept the credentials.
const credentialsHint = "; the credentials are not accepted: they have expired, were revoked, or are another " +
	"cluster's; no right is missing. Give new ones in the kubeconfig"

// rightsHint is the hint for a refusal.
const rightsHint = "; if a right is missing, compare the account's with the ClusterRole in deploy/kubernetes"

// answers classifies the refusals of the API server. The first row that matches counts.
// Forbidden has several meanings, which only the text tells apart: a right is missing, a
// quota is exhausted at the moment, or admission never accepts the object.
var answers = []struct {
	is   func(err error, s metav1.Status) bool
	code ecp.Code
	hint string
}{
	{func(err error, _ metav1.Status) bool {
		return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
	}, ecp.CodeConflict, ""},
	{coded(http.StatusUnauthorized), ecp.CodeDenied, credentialsHint},
	{saying(ownPolicy), ecp.CodeDenied, "; the rules of deploy/kubernetes/admission.yaml are older than this build, " +
		"or somebody has changed the namespace's label"},
	{func(_ error, s metav1.Status) bool {
		return s.Code == http.StatusForbidden && rightsMissing.MatchString(s.Message)
	}, ecp.CodeDenied, rightsHint},
	{func(err error, s metav1.Status) bool {
		return s.Code == http.StatusForbidden && strings.Contains(s.Message, "quota")
	}, ecp.CodeUnavailable, "; it is tried again: give the quota more room, or ask for less"},
	{coded(http.StatusConflict), ecp.CodeConflict, ""},
	// a server-side apply that contradicts itself is answered with 500
	{saying("failed to create typed patch object"), ecp.CodeInvalid, ""},
	{coded(http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusBadRequest,
		http.StatusRequestEntityTooLarge), ecp.CodeInvalid, ""},
	{func(_ error, s metav1.Status) bool {
		return s.Code >= 400 && s.Code < 500 && strings.Contains(s.Message, "denied the request")
	}, ecp.CodeInvalid, ""}, // a webhook may answer with any code
}

// ownPolicy is the beginning of a refusal by deploy/kubernetes/admission.yaml.
const ownPolicy = "ValidatingAdmissionPolicy 'openecp-ecpd'"

// rightsMissing matches a refusal by authorization.
var rightsMissing = regexp.MustCompile(`User ".*" cannot |cannot set blockOwnerDeletion`)

func coded(codes ...int32) func(error, metav1.Status) bool {
	return func(_ error, s metav1.Status) bool { return slices.Contains(codes, s.Code) }
}

func saying(words string) func(error, metav1.Status) bool {
	return func(_ error, s metav1.Status) bool { return strings.Contains(s.Message, words) }
}

func classify(err error, s metav1.Status) (ecp.Code, string) {
	for _, a := range answers {
		if a.is(err, s) {
			return a.code, a.hint
		}
	}
	// 429, 5xx, and 404 for an object that was deleted in the meantime.
	return ecp.CodeUnavailable, "; it is tried again"
}

func conflict(op, message string, cause error) error {
	return &ecp.Error{Code: ecp.CodeConflict, Op: op, Message: message, Cause: cause}
}

func unavailable(op, message string) error {
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: message}
}

// lostOwnership returns the error for a write of a process that another one with the same
// Store has taken over from.
func lostOwnership(op string, cause error) error {
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: cause.Error(), Cause: cause}
}

// loss returns the error for an object that was lost and is created again only on
// request.
func loss(op string, reason ecp.Reason, what string) error {
	l := &ecp.Loss{Reason: reason, What: what}
	return conflict(op, what+" has gone and is not made anew unasked; repair accepts the loss", l)
}
