package ecpmetrics_test

import (
	"context"
	"fmt"

	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/ecpmetrics"
	"github.com/prometheus/client_golang/prometheus"
)

// A program registers the metrics and lets them follow the fleet beside the
// Manager's own Run.
func ExampleNew() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m, err := fleet.New(ctx, fleet.Config{Store: memstore.New()})
	if err != nil {
		fmt.Println(err)
		return
	}
	metrics, err := ecpmetrics.New(ecpmetrics.Config{Manager: m})
	if err != nil {
		fmt.Println(err)
		return
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		metrics.Run(ctx)
	}()

	cancel() // at the program's end
	<-ended
	families, err := registry.Gather()
	fmt.Println(len(families) > 10, err)
	// Output: true <nil>
}
