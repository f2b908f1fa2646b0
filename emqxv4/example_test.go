package emqxv4_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/internal/emqxtest"
)

// A node is emptied before it is restarted: its clients move to the others.
func Example() {
	// Any EMQX Enterprise 4.4, e.g. "http://10.1.2.3:8081"; here one that is
	// made up, whose node b has lost its clients already.
	server := httptest.NewServer(emqxtest.Paths{
		evacuations: evacuating("prohibiting",
			`{"initial_connected":120,"current_connected":0,"initial_sessions":150,"current_sessions":0}`),
		startB: done,
	}.Before(site{version: "4.4.24", enterprise: true}))
	defer server.Close()
	endpoint := ecp.Endpoint{
		BaseURL:     server.URL,
		Credentials: ecp.Credentials{Username: "admin", Password: "public", Kind: ecp.CredentialKey},
	}

	broker, err := emqxv4.New(emqxv4.Config{}).Open(endpoint)
	if err != nil {
		fmt.Println(err) // what is wrong with the endpoint
		return
	}
	defer broker.Close()
	ctx := context.Background()

	cluster, err := broker.Describe(ctx)
	if err != nil {
		fmt.Println(ecp.CodeOf(err), ecp.MessageOf(err))
		return
	}
	fmt.Println(cluster.Edition, cluster.Version, len(cluster.Nodes), "nodes, limit", cluster.Limit)

	evacuator, ok := broker.(ecp.Evacuator)
	if !ok {
		return
	}
	if err := evacuator.StartEvacuation(ctx, "emqx@b", ecp.EvacuationOrder{ConnectionRate: 200}); err != nil {
		fmt.Println(ecp.MessageOf(err)) // e.g. that the version lacks it, and which has it
		return
	}
	progress, err := evacuator.EvacuationProgress(ctx, "emqx@b") // again and again, until it is done
	fmt.Println(progress.Phase, progress.Done(), err)

	// Output:
	// enterprise 4.4.24 2 nodes, limit 1000
	// prohibiting true <nil>
}

// The listeners of a cluster. EMQX 4 has no call that changes one, and the error says how to
// do it by hand.
func Example_listeners() {
	cluster := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "4.4.24"}) // in place of a real one
	broker, err := emqxv4.New(emqxv4.Config{}).Open(cluster.Join("emqx@10.0.0.1").Endpoint())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	manager, ok := broker.(ecp.ListenerManager)
	if !ok {
		return
	}
	ctx := context.Background()
	listeners, err := manager.Listeners(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range listeners {
		if l.ID == "mqtt:tcp:external" {
			fmt.Println(l.ID, l.Protocol, l.Running)
		}
	}
	err = manager.StopListener(ctx, "mqtt:tcp:external")
	fmt.Println(errors.Is(err, ecp.ErrUnsupported), strings.HasSuffix(err.Error(), "on each node"))
	// Output:
	// mqtt:tcp:external mqtt True
	// true true
}
