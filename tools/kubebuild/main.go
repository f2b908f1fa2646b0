// Command kubebuild builds the test control plane into the cache, if it is not
// there. Tests would do so on demand; done before them it has the machine to
// itself and does not count against their time.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/openecp/openecp/internal/kubelab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if _, err := kubelab.Build(ctx, nil); err != nil {
		fmt.Fprintln(os.Stderr, "kubebuild:", err)
		stop()
		os.Exit(1)
	}
}
