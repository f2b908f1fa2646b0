package ecp

import (
	"context"
	"io"
)

// Metrics is a Broker that tells its metrics in Prometheus' text format.
type Metrics interface {
	// WriteMetrics copies the exposition to w as it comes and says how many
	// bytes that were. Where the error is not nil, what was written is not
	// whole: whoever serves it on has to say so. An answer that is no
	// exposition is not begun. No more than [MostMetrics] bytes are copied.
	WriteMetrics(ctx context.Context, w io.Writer, s MetricsScope) (int64, error)
}

// MostMetrics is the size of the largest exposition that is copied, in bytes.
const MostMetrics = 256 << 20

// MetricsScope says whose metrics are wanted.
type MetricsScope string

// The scopes. A broker that knows its own node only (4.x) gives that, whatever
// is asked: its series then have no label for the node.
const (
	MetricsOfNode  MetricsScope = ""      // the node that answers
	MetricsOfNodes MetricsScope = "nodes" // every node, with a label "node"
)
