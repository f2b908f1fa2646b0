package kubelab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// StorageClass is the default class. Its volumes are folders, and a claim is bound to
// one at once.
const StorageClass = "standard"

type object = map[string]any

// populate creates what a new Kubernetes cluster has: nodes and a storage class.
func (l *Lab) populate(ctx context.Context, nodes int) error {
	for i := range nodes {
		name := fmt.Sprintf("node-%d", i)
		labels := object{
			"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
			"topology.kubernetes.io/region": "lab", "topology.kubernetes.io/zone": fmt.Sprintf("zone-%d", i),
		}
		if err := l.create(ctx, "/api/v1/nodes", object{
			"apiVersion": "v1", "kind": "Node", "metadata": object{"name": name, "labels": labels},
		}); err != nil {
			return err
		}
	}
	if err := l.create(ctx, "/apis/storage.k8s.io/v1/storageclasses", object{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
		"metadata": object{
			"name": StorageClass, "annotations": object{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		"provisioner": "kubernetes.io/host-path", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
		"allowVolumeExpansion": true, // package podsim plays the driver
	}); err != nil {
		return err
	}
	if err := l.until(ctx, fmt.Sprintf("%d nodes are ready", nodes), l.nodesReady(nodes)); err != nil {
		return err
	}
	// Pods cannot be created in a namespace before it has this account.
	const account = "/api/v1/namespaces/default/serviceaccounts/default"
	return l.until(ctx, "the default service account exists", l.answers(account))
}

// create posts an object until the API server accepts it: right after a start it
// refuses some kinds for a moment.
func (l *Lab) create(ctx context.Context, path string, o object) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return l.until(ctx, "create at "+path, func(ctx context.Context) (bool, string) {
		status, answer, err := l.Do(ctx, http.MethodPost, path, body)
		if err != nil {
			return false, err.Error()
		}
		return status == http.StatusCreated || status == http.StatusConflict, fmt.Sprintf("%d %s", status, answer)
	})
}

// nodesReady reports whether n nodes are Ready, have addresses for pods, and have no
// taint that keeps pods away.
func (l *Lab) nodesReady(n int) func(context.Context) (bool, string) {
	return func(ctx context.Context) (bool, string) {
		var list struct {
			Items []struct {
				Spec struct {
					PodCIDR string
					Taints  []any
				}
				Status struct {
					Conditions []struct{ Type, Status string }
				}
			}
		}
		_, body, err := l.Do(ctx, http.MethodGet, "/api/v1/nodes", nil)
		if err != nil {
			return false, err.Error()
		}
		if err := json.Unmarshal(body, &list); err != nil {
			return false, err.Error()
		}
		ready := 0
		for _, node := range list.Items {
			for _, c := range node.Status.Conditions {
				if c.Type == "Ready" && c.Status == "True" && node.Spec.PodCIDR != "" && len(node.Spec.Taints) == 0 {
					ready++
				}
			}
		}
		return ready == n, fmt.Sprintf("%d of %d", ready, n)
	}
}
