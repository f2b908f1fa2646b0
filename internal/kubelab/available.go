package kubelab

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Available returns nil if Start can be tried here. Otherwise its error names in one
// line what this machine lacks for a lab, and what to do about it. It also brings the
// loopback interface up, which is down in a new network namespace: that takes exactly
// the right that a lab needs.
func Available() error {
	if runtime.GOOS != "linux" {
		return errors.New("kubelab: pod addresses need Linux's local routes; run on Linux")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return errors.New("kubelab: the ip command is missing: `apt-get install iproute2`")
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("kubelab: the go command is missing, which builds the control plane: " +
			"install Go and put it on PATH")
	}
	if _, err := CacheDir(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := ip(ctx, "link", "set", "dev", "lo", "up")
	if err != nil && strings.Contains(err.Error(), "not permitted") {
		return errors.New("kubelab: no CAP_NET_ADMIN, so pod addresses cannot be routed here: " +
			"run as root or under `unshare -Urn`")
	}
	return err
}
