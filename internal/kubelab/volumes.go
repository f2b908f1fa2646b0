package kubelab

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// volumeRoot is the folder in which the host-path provisioner of Kubernetes creates a
// folder for every volume. It cannot be configured.
const volumeRoot = "/tmp/hostpath_pv"

// removeVolumes removes the folders of all volumes. If the API server does not answer,
// they stay.
func (l *Lab) removeVolumes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var list struct {
		Items []struct {
			Spec struct {
				HostPath struct{ Path string }
			}
		}
	}
	status, body, err := l.Do(ctx, http.MethodGet, "/api/v1/persistentvolumes", nil)
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &list) != nil {
		return nil
	}
	// No new folders while the old ones go.
	if p := l.take("kube-controller-manager"); p != nil {
		p.kill()
	}
	var errs []error
	for _, pv := range list.Items {
		if path := filepath.Clean(pv.Spec.HostPath.Path); strings.HasPrefix(path, volumeRoot+"/") {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	removeRoot()
	return errors.Join(errs...)
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// removeEmptyVolumes removes the volumes of a killed lab. Which ones they were is not
// known any more, but they are younger than the lab, and they are empty unless package
// podexec ran its pods. Removing an empty folder of a lab that runs does no harm.
func removeEmptyVolumes(since time.Time) error {
	entries, err := os.ReadDir(volumeRoot)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && e.IsDir() && uuid.MatchString(e.Name()) && info.ModTime().After(since) {
			_ = os.Remove(filepath.Join(volumeRoot, e.Name())) // fails unless empty
		}
	}
	removeRoot()
	return nil
}

// removeRoot removes the folder above the volumes when it is empty.
func removeRoot() { _ = os.Remove(volumeRoot) }
