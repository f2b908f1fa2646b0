package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
)

// platformTimeout bounds how long a start waits for the identity of Kubernetes. If it
// does not answer, it is asked again while the daemon runs.
const platformTimeout = 5 * time.Second

// checkPlatform refuses to start on another Kubernetes than the one that the clusters
// in the database are on, unless the configuration says that it replaces that one.
func (d *daemon) checkPlatform(ctx context.Context) error {
	ask, cancel := context.WithTimeout(ctx, platformTimeout)
	defer cancel()
	err := d.manager.CheckPlatforms(ask)
	if d.config.identity == "" {
		if err != nil {
			return fmt.Errorf("%w: start with --kubernetes-identity and its uid; see docs/operations.md", err)
		}
		return nil
	}
	system := ecp.WithActor(ctx, ecp.System)
	if _, wrong := d.manager.AcceptPlatform(system, "default", d.config.identity); wrong != nil {
		return fmt.Errorf("%s: %w", d.config.at("kubernetes-identity"), wrong)
	}
	if errors.Is(err, ecp.ErrConflict) {
		d.log.WarnContext(ctx, "the clusters are on another Kubernetes from now on", "identity", d.config.identity)
	}
	return nil
}
