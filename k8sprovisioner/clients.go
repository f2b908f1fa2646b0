package k8sprovisioner

import (
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// The types of the API groups that are used here. The scheme and the clientset of
// client-go have every group that there is, which would be a third of a program.
var (
	knownTypes     = newScheme()
	codecs         = serializer.NewCodecFactory(knownTypes)
	parameterCodec = runtime.NewParameterCodec(knownTypes)
)

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	metav1.AddToGroupVersion(s, schema.GroupVersion{Version: "v1"})
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, policyv1.AddToScheme,
		networkingv1.AddToScheme, storagev1.AddToScheme, coordinationv1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err) // two types of one name
		}
	}
	return s
}

// clients are the REST clients of the API groups, over one HTTP client.
type clients struct {
	coreV1, appsV1, policyV1, networkingV1, storageV1, coordinationV1 rest.Interface
}

func newClients(c *rest.Config, h *http.Client) (out clients, err error) {
	for _, group := range []struct {
		client  *rest.Interface
		version schema.GroupVersion
	}{
		{&out.coreV1, corev1.SchemeGroupVersion},
		{&out.appsV1, appsv1.SchemeGroupVersion},
		{&out.policyV1, policyv1.SchemeGroupVersion},
		{&out.networkingV1, networkingv1.SchemeGroupVersion},
		{&out.storageV1, storagev1.SchemeGroupVersion},
		{&out.coordinationV1, coordinationv1.SchemeGroupVersion},
	} {
		of := rest.CopyConfig(c)
		of.GroupVersion, of.NegotiatedSerializer = &group.version, codecs.WithoutConversion()
		of.APIPath = "/apis"
		if group.version.Group == "" {
			of.APIPath = "/api"
		}
		if of.UserAgent == "" {
			of.UserAgent = rest.DefaultKubernetesUserAgent()
		}
		if *group.client, err = rest.RESTClientForConfigAndClient(of, h); err != nil {
			return out, err
		}
	}
	return out, nil
}

func core(c clients) rest.Interface         { return c.coreV1 }
func apps(c clients) rest.Interface         { return c.appsV1 }
func policies(c clients) rest.Interface     { return c.policyV1 }
func networking(c clients) rest.Interface   { return c.networkingV1 }
func classes(c clients) rest.Interface      { return c.storageV1 }
func coordination(c clients) rest.Interface { return c.coordinationV1 }
