package podexec

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/openecp/openecp/internal/kubelab/podsim"
)

// get reads an object of the API.
func (r *Runner) get(ctx context.Context, path string, into any) error {
	status, body, err := r.lab.Do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, status, body)
	}
	return json.Unmarshal(body, into)
}

// mountVolumes finds or makes the folder of each volume.
func (r *Runner) mountVolumes(ctx context.Context, b *box) error {
	for _, v := range b.pod.Spec.Volumes {
		var folder string
		var err error
		switch {
		case v.EmptyDir != nil:
			folder = filepath.Join(b.dir, "volume-"+v.Name)
			if err = os.MkdirAll(folder, 0o755); err == nil { //nolint:gosec // the pod's user enters it
				err = os.Chmod(folder, 0o777) //nolint:gosec // as the kubelet makes it
			}
		case v.PersistentVolumeClaim != nil:
			folder, err = r.folderOf(ctx, b.pod.Namespace, v.PersistentVolumeClaim.ClaimName)
		default:
			err = fmt.Errorf("a volume of this kind is not simulated")
		}
		if err == nil {
			err = mode(b.pod.Spec.SecurityContext, folder)
		}
		if err != nil {
			return fmt.Errorf("volume %s: %w", v.Name, err)
		}
		b.volumes[v.Name] = folder
	}
	return nil
}

// mode lets the group of fsGroup use a volume, unless its root has that group already and the
// pod wants no more than that.
func mode(of *corev1.PodSecurityContext, folder string) error {
	if of == nil || of.FSGroup == nil {
		return nil
	}
	group := int(*of.FSGroup)
	if p := of.FSGroupChangePolicy; p != nil && *p == corev1.FSGroupChangeOnRootMismatch {
		if has, err := isGiven(group, folder); has || err != nil {
			return err
		}
	}
	return giveTo(group, folder)
}

// folderOf is the folder that the lab's provisioner has made for a claim.
func (r *Runner) folderOf(ctx context.Context, namespace, claim string) (string, error) {
	var c corev1.PersistentVolumeClaim
	if err := r.get(ctx, "/api/v1/namespaces/"+namespace+"/persistentvolumeclaims/"+claim, &c); err != nil {
		return "", err
	}
	var v corev1.PersistentVolume
	if err := r.get(ctx, "/api/v1/persistentvolumes/"+c.Spec.VolumeName, &v); err != nil {
		return "", err
	}
	if v.Spec.HostPath == nil {
		return "", fmt.Errorf("the volume %s is no folder of this machine", v.Name)
	}
	return v.Spec.HostPath.Path, nil
}

// hosts is the content of /etc/hosts: the pod's own name, and the names of the services
// of its namespace, each with the address of a pod that is ready.
func (r *Runner) hosts(ctx context.Context, p podsim.Pod) (string, error) {
	var slices discoveryv1.EndpointSliceList
	if err := r.get(ctx, "/apis/discovery.k8s.io/v1/namespaces/"+p.Namespace+"/endpointslices", &slices); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "127.0.0.1 localhost\n%s %s\n", p.IP, p.Name)
	for _, s := range slices.Items {
		service := s.Labels[discoveryv1.LabelServiceName]
		for _, e := range s.Endpoints {
			if len(e.Addresses) > 0 && is(e.Conditions.Ready) {
				fmt.Fprintf(&b, "%s %s %[2]s.%s %[2]s.%[3]s.svc %[2]s.%[3]s.svc.cluster.local\n", e.Addresses[0],
					service, p.Namespace)
				break
			}
		}
	}
	return b.String(), nil
}
