package k8sprovisioner

import (
	"errors"
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func answered(code int32, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Message: message}}
}

// TestWhatAnswersMean sorts refusals as API servers word them.
func TestWhatAnswersMean(t *testing.T) {
	ending := &apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusForbidden,
		Message: "unable to create new content",
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}}}}
	for name, c := range map[string]struct {
		err  error
		code ecp.Code
	}{
		"invalid": {answered(422,
			`Service "x" is invalid: spec.loadBalancerClass: Invalid value: "b": may not change once set`),
			ecp.CodeInvalid},
		"too large": {answered(413, "Request entity too large: limit is 3145728"), ecp.CodeInvalid},
		"webhook": {answered(403, `admission webhook "x.example.com" denied the request: no node ports here`),
			ecp.CodeInvalid},
		"webhook's own code": {answered(418, `admission webhook "x.example.com" denied the request: tea only`),
			ecp.CodeInvalid},
		"policy": {answered(422,
			`services "x" is forbidden: ValidatingAdmissionPolicy 'no-lb' with binding 'no-lb' denied request: no load balancers`), ecp.CodeInvalid},
		"plugin": {answered(403,
			`persistentvolumeclaims "x" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize`), ecp.CodeInvalid},
		"our own policy": {answered(422,
			`services "x" is forbidden: ValidatingAdmissionPolicy 'openecp-ecpd' with binding 'openecp-ecpd' denied request: ecpd may write only`), ecp.CodeDenied},
		"a right is missing": {answered(403,
			`services "x" is forbidden: User "system:serviceaccount:a:b" cannot patch resource "services" in API group "" in the namespace "x"`), ecp.CodeDenied},
		"who is it": {answered(401, "Unauthorized"), ecp.CodeDenied},
		"quota": {answered(403,
			`services "x" is forbidden: exceeded quota: q, requested: services.loadbalancers=1, used: services.loadbalancers=0, limited: services.loadbalancers=0`), ecp.CodeUnavailable},
		"namespace is ending": {ending, ecp.CodeConflict},
		"conflict":            {answered(409, "the object has been modified"), ecp.CodeConflict},
		"busy":                {answered(429, "too many requests"), ecp.CodeUnavailable},
		"broken webhook":      {answered(500, `failed calling webhook "x.example.com"`), ecp.CodeUnavailable},
		"no answer":           {errors.New("connection refused"), ecp.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.code, ecp.CodeOf(failure("test", c.err))) })
	}
}

// TestSeveralMisses: what time may mend comes before what it does not.
func TestSeveralMisses(t *testing.T) {
	missed := func(kind string, err error) objectError {
		return objectError{object{kind: kind, name: "x"}, failure("apply", err)}
	}
	service := missed(kindService, answered(422, "may not change once set"))
	require.NoError(t, applyErrors{}.joined(true))

	err := applyErrors{service, missed(kindBudget, answered(422, "no budgets here"))}.joined(true)
	require.ErrorIs(t, err, ecp.ErrInvalid)
	require.Equal(t, "apply Service x, PodDisruptionBudget x: Kubernetes says: may not change once set; no budgets "+
		"here", ecp.MessageOf(err))
	require.Equal(t, &ecp.Refusal{What: "Service x, PodDisruptionBudget x",
		Why: "may not change once set; no budgets here", Rest: true}, ecp.RefusalOf(err))

	require.False(t, ecp.RefusalOf(applyErrors{missed(kindConfigMap, answered(422, "too long")),
		{object: object{kind: kindStatefulSet}}}.joined(false)).Rest)

	err = applyErrors{service, missed(kindBudget, answered(500, "away"))}.joined(true)
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.Nil(t, ecp.RefusalOf(err))
}
