//go:build !linux

package podexec

import (
	"context"
	"errors"

	"github.com/openecp/openecp/internal/kubelab/podsim"
)

var errLinuxOnly = errors.New("podexec: containers need Linux's namespaces; run on Linux")

// Available reports in one line what this machine lacks to run pods.
func Available() error { return errLinuxOnly }

func (b *box) finish(context.Context, podsim.Container) error { return errLinuxOnly }

func (b *box) start(context.Context, podsim.Container) (podsim.Process, error) {
	return podsim.Process{}, errLinuxOnly
}

func isGiven(int, string) (bool, error) { return false, errLinuxOnly }
