package k8sprovisioner

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: transportMessage(err), Cause: err}
	}
	code, hint := classify(err, status.Status())
	return &ecp.Error{Code: code, Op: op, Message: kubernetesSays + status.Status().Message + hint, Cause: err}
}

// kubernetesSays comes before the API server's own words.
const kubernetesSays = "Kubernetes says: "

// credentialsHint is the hint where the API server does not know who asks.
const credentialsHint = "; the credentials are not accepted: they have expired, were revoked, or are another cluster's; no right is missing. Give new ones in the kubeconfig"

// rightsHint is the hint for a refusal.
const rightsHint = "; if a right is missing, compare the account's with the ClusterRole in deploy/kubernetes"

// answers sort what the API server says when it does not do what it was asked
// to, by the first row that matches. Forbidden has several meanings, which only
// the words tell apart: a right that is missing, a quota that has no room now,
// and an object that admission never takes.
var answers = []struct {
	is   func(err error, s metav1.Status) bool
	code ecp.Code
	hint string
}{
	{func(err error, _ metav1.Status) bool {
		return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
	}, ecp.CodeConflict, ""},
	{coded(http.StatusUnauthorized), ecp.CodeDenied, credentialsHint},
	{saying(ownPolicy), ecp.CodeDenied, "; the rules of deploy/kubernetes/admission.yaml are older than this build, or somebody has changed the namespace's label"},
	{func(_ error, s metav1.Status) bool {
		return s.Code == http.StatusForbidden && rightsMissing.MatchString(s.Message)
	}, ecp.CodeDenied, rightsHint},
	{func(err error, s metav1.Status) bool {
		return s.Code == http.StatusForbidden && strings.Contains(s.Message, "quota")
	}, ecp.CodeUnavailable, "; it is tried again: give the quota more room, or ask for less"},
	{coded(http.StatusConflict), ecp.CodeConflict, ""},
	{saying("failed to create typed patch object"), ecp.CodeInvalid, ""}, // a server-side apply that contradicts itself is answered with 500
	{coded(http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusBadRequest, http.StatusRequestEntityTooLarge), ecp.CodeInvalid, ""},
	{func(_ error, s metav1.Status) bool {
		return s.Code >= 400 && s.Code < 500 && strings.Contains(s.Message, "denied the request")
	}, ecp.CodeInvalid, ""}, // a webhook may answer with any code
}

// ownPolicy is how a refusal by deploy/kubernetes/admission.yaml begins.
const ownPolicy = "ValidatingAdmissionPolicy 'openecp-ecpd'"

// rightsMissing is how authorization refuses.
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
