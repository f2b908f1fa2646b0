package podexec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openecp/openecp/internal/kubelab/podsim"
)

// box is what the containers of one pod share.
type box struct {
	pod     podsim.Pod
	dir     string            // roots and logs
	hosts   string            // file: what is to be in /etc/hosts
	volumes map[string]string // folders by the names of volumes
}

// logFile is where a container's output is kept.
func logFile(dir, container string) string { return filepath.Join(dir, container+".log") }

func is(b *bool) bool { return b != nil && *b }

// privileges returns the command line that takes on the user, the groups and the
// rights that a container is to have; the container's own settings win.
func privileges(pod *corev1.PodSecurityContext, own *corev1.SecurityContext) ([]string, error) {
	if pod == nil {
		pod = &corev1.PodSecurityContext{}
	}
	if own == nil {
		own = &corev1.SecurityContext{}
	}
	user, group := first(own.RunAsUser, pod.RunAsUser), first(own.RunAsGroup, pod.RunAsGroup)
	nonRoot := is(pod.RunAsNonRoot)
	if own.RunAsNonRoot != nil {
		nonRoot = *own.RunAsNonRoot
	}
	if nonRoot && user == 0 {
		return nil, errors.New("it has runAsNonRoot and would run as root: it needs runAsUser")
	}
	groups := []string{strconv.FormatInt(group, 10)}
	for _, g := range pod.SupplementalGroups {
		groups = append(groups, strconv.FormatInt(g, 10))
	}
	if pod.FSGroup != nil {
		groups = append(groups, strconv.FormatInt(*pod.FSGroup, 10))
	}
	line := []string{"/usr/bin/setpriv", "--reuid", strconv.FormatInt(user, 10), "--regid",
		strconv.FormatInt(group, 10), "--groups", strings.Join(groups, ",")}
	if own.AllowPrivilegeEscalation != nil && !*own.AllowPrivilegeEscalation {
		line = append(line, "--no-new-privs")
	}
	if own.Capabilities != nil {
		for _, c := range own.Capabilities.Drop {
			if c != "ALL" {
				return nil, fmt.Errorf("dropping the capability %s alone is not simulated", c)
			}
			line = append(line, "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all")
		}
	}
	return line, nil
}

// first returns the first that is set; 0 when none is.
func first(of ...*int64) int64 {
	for _, n := range of {
		if n != nil {
			return *n
		}
	}
	return 0
}

// checkSizes returns an error where an emptyDir holds more than it may: the kubelet
// evicts such a pod.
func (b *box) checkSizes() error {
	for _, v := range b.pod.Spec.Volumes {
		if v.EmptyDir == nil || v.EmptyDir.SizeLimit == nil {
			continue
		}
		used, err := sizeOf(b.volumes[v.Name])
		if err != nil {
			return err
		}
		if limit := v.EmptyDir.SizeLimit.Value(); used > limit {
			return fmt.Errorf("usage of EmptyDir volume %q exceeds the limit %q: %d bytes", v.Name,
				v.EmptyDir.SizeLimit, used)
		}
	}
	return nil
}

// sizeOf returns how many bytes the files below a folder have.
func sizeOf(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

// giveTo lets a group use everything below a folder, as the kubelet does for fsGroup:
// files become readable and writable for it, folders pass it on.
func giveTo(group int, dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := os.Lchown(name, -1, group); err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return err
		}
		mode := info.Mode() | 0o660
		if d.IsDir() {
			mode |= 0o110 | fs.ModeSetgid
		}
		return os.Chmod(name, mode)
	})
}
