package podexec

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/openecp/openecp/internal/kubelab/podsim"
)

func to[T any](v T) *T { return &v }

// newTestBox returns a box with the volumes rw and ro, and a container of a restricted pod.
func newTestBox(t *testing.T, script string) (*box, podsim.Container) {
	t.Helper()
	if err := Available(); err != nil {
		t.Skip(err)
	}
	dir, err := os.MkdirTemp("", "podexec-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	limit := resource.MustParse("1Ki")
	b := &box{dir: dir, hosts: filepath.Join(dir, "hosts"),
		volumes: map[string]string{"rw": filepath.Join(dir, "rw"), "ro": filepath.Join(dir, "ro")}}
	b.pod.Name = "pod-0"
	b.pod.Spec = corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: to(true), RunAsUser: to(int64(1000)),
			RunAsGroup: to(int64(1001)), FSGroup: to(int64(1002))},
		Volumes: []corev1.Volume{{Name: "rw",
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &limit}}}},
	}
	require.NoError(t, os.WriteFile(b.hosts, []byte("10.64.0.7 emqx\n"), 0o600))
	for _, folder := range b.volumes {
		require.NoError(t, os.Mkdir(folder, 0o755))
		require.NoError(t, giveTo(1002, folder))
	}
	return b, podsim.Container{Env: map[string]string{"GIVEN": "a b"}, Container: corev1.Container{
		Name: "c", Command: []string{"sh", "-euc"}, Args: []string{script},
		VolumeMounts: []corev1.VolumeMount{{Name: "rw", MountPath: "/data/rw"},
			{Name: "ro", MountPath: "/data/ro", ReadOnly: true}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: to(false), ReadOnlyRootFilesystem: to(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}}
}

// TestContainer looks at a container from inside.
func TestContainer(t *testing.T) {
	b, c := newTestBox(t, `
		echo "$$ $(id -u) $(id -g) $(id -G) $(hostname) $(pwd) $GIVEN"
		grep -E 'NoNewPrivs|CapBnd|CapEff' /proc/self/status
		for f in /x /tmp/x /usr/x /etc/x /data/ro/x; do touch $f 2>/dev/null && echo "$f can be written"; done
		touch /data/rw/x
		ls -d /work /root/* /home 2>/dev/null || echo nothing else
		grep emqx /etc/hosts`)
	require.NoError(t, b.finish(t.Context(), c), "%s", c.Args)
	log, err := os.ReadFile(logFile(b.dir, "c"))
	require.NoError(t, err)
	require.Equal(t, `1 1000 1001 1001 1002 pod-0 / a b
CapEff:	0000000000000000
CapBnd:	0000000000000000
NoNewPrivs:	1
nothing else
10.64.0.7 emqx
`, string(log))
}

// TestContainerRefused: what the kubelet would not run, or would evict.
func TestContainerRefused(t *testing.T) {
	b, c := newTestBox(t, "head -c 2000 /dev/zero >/data/rw/x")
	require.ErrorContains(t, b.finish(t.Context(), c), "exceeds the limit")

	b, c = newTestBox(t, "exit 7")
	require.ErrorContains(t, b.finish(t.Context(), c), "exit status 7")

	c.SecurityContext.RunAsUser = to(int64(0))
	require.ErrorContains(t, b.finish(t.Context(), c), "runAsNonRoot")
}
