package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/openecp/openecp/ecp"
)

// printStates prints each state of a cluster until it is running.
func printStates(ctx context.Context, cluster ecp.Cluster, out io.Writer) error {
	for change, err := range cluster.Watch(ctx) {
		if err != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if record, ok := change.Payload.(ecp.ClusterRecord); ok {
			fmt.Fprintln(out, record.Status.State)
			if record.Status.State == ecp.Running {
				return nil
			}
		}
	}
	return context.Cause(ctx)
}
