package podexec

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/openecp/openecp/internal/kubelab/podsim"
)

//go:embed container.sh
var containerScript string

// Available reports in one line what this machine lacks to run pods; nil means that
// they can be run.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("podexec: roots of their own and other users for containers need root's rights: run as root")
	}
	for _, tool := range []string{"setpriv", "mount", "hostname", "chroot"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("podexec: %s is missing: `apt-get install util-linux hostname coreutils`", tool)
		}
	}
	cmd := exec.Command("mount", "--make-rprivate", "/") //nolint:noctx // it ends at once
	cmd.SysProcAttr = namespaces()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("podexec: no namespaces of mounts and processes here: %w: %s", err, out)
	}
	return nil
}

func namespaces() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Setpgid: true, Pdeathsig: syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
}

// finish runs a container until it has ended well.
func (b *box) finish(ctx context.Context, c podsim.Container) error {
	ended, err := b.launch(ctx, c)
	if err != nil {
		return err
	}
	if err := <-ended; err != nil {
		return err
	}
	return b.checkSizes()
}

// start runs a container until ctx ends.
func (b *box) start(ctx context.Context, c podsim.Container) (podsim.Process, error) {
	result, err := b.launch(ctx, c)
	if err != nil {
		return podsim.Process{}, err
	}
	ended, gone := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(gone)
		err := <-result
		if err == nil {
			err = errors.New("exit status 0")
		}
		ended <- err
	}()
	return podsim.Process{Ended: ended, Exit: func() { <-gone }}, nil
}

// launch starts a container, whose end the channel yields. The end of ctx asks it to
// end, and kills it when its time is over.
func (b *box) launch(ctx context.Context, c podsim.Container) (<-chan error, error) {
	cmd, err := b.command(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", c.Name, err)
	}
	log, err := os.OpenFile(logFile(b.dir, c.Name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the kernel kills a child when the thread that started it ends
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	return ended, <-started
}

// longestGrace bounds how long a container may take to end: the tests wait for it.
const longestGrace = 5 * time.Second

// command prepares a container.
func (b *box) command(ctx context.Context, c podsim.Container) (*exec.Cmd, error) {
	if len(c.Command) == 0 {
		return nil, errors.New("it names no command, and the image is not looked at")
	}
	rights, err := privileges(b.pod.Spec.SecurityContext, c.SecurityContext)
	if err != nil {
		return nil, err
	}
	root := filepath.Join(b.dir, "root-"+c.Name)
	if err := os.MkdirAll(root, 0o755); err != nil { //nolint:gosec // the pod's user enters it
		return nil, err
	}
	readOnly := c.SecurityContext != nil && is(c.SecurityContext.ReadOnlyRootFilesystem)
	args := []string{"-c", containerScript, "container.sh", root, b.pod.Name, strconv.FormatBool(readOnly),
		cmp.Or(c.WorkingDir, "/"), b.hosts}
	for _, m := range c.VolumeMounts {
		mode := "rw"
		if m.ReadOnly {
			mode = "ro"
		}
		args = append(args, filepath.Join(b.volumes[m.Name], m.SubPath), m.MountPath, mode)
	}
	args = slices.Concat(args, []string{"--"}, rights, c.Command, c.Args)
	cmd := exec.CommandContext(ctx, "sh", args...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for name, value := range c.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.SysProcAttr = namespaces()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = longestGrace
	if s := b.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		cmd.WaitDelay = min(cmd.WaitDelay, time.Duration(*s)*time.Second)
	}
	return cmd, nil
}

// isGiven reports whether the root of a volume has the group and the mode that fsGroup
// gives it.
func isGiven(group int, folder string) (bool, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return false, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	const wanted = os.ModeSetgid | 0o770
	return ok && int(owner.Gid) == group && info.Mode()&wanted == wanted, nil
}
