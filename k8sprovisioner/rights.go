package k8sprovisioner

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// right is a right that a later version of the shipped role has added. An account without
// it goes on: what the right is for is not done then, and a warning names it.
type right struct {
	name    string // as people write it
	purpose string
	probe   func(*Provisioner) *rest.Request // changes nothing; answered with "forbidden" only if the right is missing
}

var (
	listEvents = &right{"list events", "to say why Kubernetes refuses a pod", func(p *Provisioner) *rest.Request {
		return core(p.client).Get().Namespace(nowhere).Resource("events").VersionedParams(&metav1.ListOptions{Limit: 1},
			parameterCodec)
	}}
	getNodes = &right{"get nodes", "to tell a dead machine from a slow one", func(p *Provisioner) *rest.Request {
		return core(p.client).Get().Resource("nodes").Name(nowhere)
	}}
	listNodes = &right{"list and watch nodes", "to move clients away before a machine is emptied",
		func(p *Provisioner) *rest.Request {
			return core(p.client).Get().Resource("nodes").VersionedParams(&metav1.ListOptions{Limit: 1,
				FieldSelector: cordonedNodes}, parameterCodec)
		}}
	listQuotas = &right{"list resourcequotas",
		"to see whether a full quota leaves room for a pod that takes another's place",
		func(p *Provisioner) *rest.Request {
			return core(p.client).Get().Namespace(nowhere).Resource("resourcequotas").
				VersionedParams(&metav1.ListOptions{Limit: 1}, parameterCodec)
		}}
	createPods = &right{"create pods", "to try without making anything whether a pod would be taken, before one " +
		"that serves goes", func(p *Provisioner) *rest.Request {
		return dryRunPod(p, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: nowhere, Namespace: nowhere}})
	}}
	patchClaims = &right{"patch persistentvolumeclaims", "to let volumes grow", func(p *Provisioner) *rest.Request {
		return growRequest(p, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: nowhere,
			Namespace: nowhere}}, resource.Quantity{}).Param("dryRun", metav1.DryRunAll)
	}}
	getClasses = &right{"get storageclasses", "to refuse a cluster whose storage class is not there",
		func(p *Provisioner) *rest.Request {
			return classes(p.client).Get().Resource("storageclasses").Name(nowhere)
		}}

	getVolumes = &right{"get persistentvolumes", "to tell a volume on a removed machine from one that is late",
		func(p *Provisioner) *rest.Request {
			return core(p.client).Get().Resource("persistentvolumes").Name(nowhere)
		}}

	resizePods = &right{"patch pods/resize", "to give nodes another size while they run",
		func(p *Provisioner) *rest.Request {
			return resizeRequest(p, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: nowhere, Namespace: nowhere}},
				corev1.ResourceRequirements{}).Param("dryRun", metav1.DryRunAll)
		}}
	getRevisions = &right{"get controllerrevisions", "to tell whether a node differs in its size alone",
		func(p *Provisioner) *rest.Request {
			return apps(p.client).Get().Namespace(nowhere).Resource("controllerrevisions").Name(nowhere)
		}}

	optionalRights = []*right{getKubeSystem, listEvents, getNodes, listNodes, listQuotas, createPods, patchClaims,
		getClasses, getVolumes, resizePods, getRevisions}
)

// nowhere is a name that no cluster has, and no namespace.
const nowhere = "emqx-00000000"

// rightsRecheck is the time after which a missing right is checked again.
const rightsRecheck = 5 * time.Minute

// rightSet contains the later rights that the account lacks.
type rightSet struct {
	mu      sync.Mutex
	missing []*right // guarded by mu; in order of the table
}

func (s *rightSet) lacks(r *right) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.missing, r)
}

// warning names what is missing, for people. It is empty if nothing is missing.
func (s *rightSet) warning() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.missing) == 0 {
		return ""
	}
	var parts []string
	for _, r := range s.missing {
		parts = append(parts, r.name+" ("+r.purpose+")")
	}
	return "the account has fewer rights than deploy/kubernetes/rights.yaml gives it; it works on without: " +
		strings.Join(parts, ", ")
}

// checkRights checks which of the later rights are missing, again from time to time while
// any is missing. It returns when none is missing or ctx ends.
func (p *Provisioner) checkRights(ctx context.Context) {
	for {
		var missing []*right
		for _, r := range optionalRights {
			if p.forbidden(ctx, r) {
				missing = append(missing, r)
			}
		}
		if ctx.Err() != nil {
			return
		}
		before := p.rights.warning()
		p.rights.mu.Lock()
		p.rights.missing = missing
		p.rights.mu.Unlock()
		if w := p.rights.warning(); w != "" && w != before {
			p.cfg.Logger.WarnContext(ctx, "rights are missing on Kubernetes", "warning", w)
		}
		if len(missing) == 0 || !sleep(ctx, rightsRecheck, nil) {
			return
		}
	}
}

func (p *Provisioner) forbidden(ctx context.Context, r *right) bool {
	err := p.send(ctx, r.probe(p), nil)
	if r == resizePods { // its probe names a pod that is not there: admission is not asked about it
		return apierrors.IsForbidden(err)
	}
	return unauthorized(err)
}

// unauthorized reports whether the account has no right to ask. Admission
// refuses with the same code, but names the object: the authoriser of a create
// does not know its name yet.
func unauthorized(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsForbidden(err) || !errors.As(err, &status) {
		return false
	}
	d := status.Status().Details
	return d == nil || d.Name == "" || d.Kind != "pods"
}

// dryRunPod returns the request for a dry run of creating a pod: it passes admission and
// quotas, and creates nothing.
func dryRunPod(p *Provisioner, pod *corev1.Pod) *rest.Request {
	return core(p.client).Verb(http.MethodPost).Namespace(pod.Namespace).Resource("pods").
		VersionedParams(&metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: fieldManager},
			parameterCodec).Body(pod)
}

// Warnings implements [ecp.Warner]. It returns what an operator should know about the
// connection to Kubernetes, the rights of the account, and the network.
func (p *Provisioner) Warnings() []string {
	var out []string
	if p.api.config().Insecure {
		out = append(out, insecureTLS)
	}
	if w := p.rights.warning(); w != "" {
		out = append(out, w)
	}
	return append(out, p.networkWarnings()...)
}

// insecureTLS is the warning about a kubeconfig that disables verification.
const insecureTLS = "insecure-skip-tls-verify is set: whoever is on the way to the API server can pose as it, read " +
	"the credentials and every cluster's keys; give certificate-authority-data instead"

var _ ecp.Warner = (*Provisioner)(nil)
