package emqxv5_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
)

// A node is taken out of service: what it is, whether it may be, and until
// nobody is left on it.
func Example() {
	emqx := httptest.NewServer(http.HandlerFunc(exampleBroker)) // in place of a real one
	defer emqx.Close()

	broker, err := emqxv5.New(emqxv5.Config{}).Open(ecp.Endpoint{
		BaseURL:     emqx.URL, // e.g. http://10.1.2.3:18083
		Credentials: ecp.Credentials{Username: "key", Password: "secret", Kind: ecp.CredentialKey},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := broker.Describe(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Version, d.Edition, len(d.Nodes), "nodes")

	// What a broker can do beyond that is asserted.
	if limiter, ok := broker.(ecp.ConnectionLimiter); ok {
		_, err := limiter.SetConnectionLimit(ctx, 5000)
		fmt.Println("needs another license:", errors.Is(err, ecp.ErrLicenseNotBusinessCritical))
	}
	if evacuator, ok := broker.(ecp.Evacuator); ok {
		if err := evacuator.StartEvacuation(ctx, "emqx@10.0.0.2", ecp.EvacuationOrder{ConnectionRate: 50}); err != nil {
			fmt.Println(err)
			return
		}
		p, err := evacuator.EvacuationProgress(ctx, "emqx@10.0.0.2")
		fmt.Println(p.Phase, p.Done(), err)
	}
	// Output:
	// 5.8.9 enterprise 2 nodes
	// needs another license: true
	// prohibiting true <nil>
}

// exampleBroker answers as EMQX 5.8.9 does.
func exampleBroker(w http.ResponseWriter, r *http.Request) {
	const running = `"node_status":"running","role":"core","version":"5.8.9","edition":"Enterprise"`
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprint(w, map[string]string{
		"GET /api/v5/nodes": `[{"node":"emqx@10.0.0.1",` + running + `},{"node":"emqx@10.0.0.2",` + running +
			`}]`,
		"GET /api/v5/license":         `{"customer":"Evaluation","max_sessions":25}`,
		"PUT /api/v5/license/setting": `{"connection_high_watermark":"80%","connection_low_watermark":"75%"}`,
		"GET /api/v5/load_rebalance/global_status": `{"evacuations":[{"node":"emqx@10.0.0.2","state":"prohibiting",
			"stats":{"initial_connected":7,"current_connected":0,"initial_sessions":9,"current_sessions":0}}]}`,
		"POST /api/v5/load_rebalance/emqx@10.0.0.2/evacuation/start": `{}`,
	}[r.Method+" "+r.URL.Path])
}

// What answers at an address: which major version, and whether it can be managed.
func Example_detect() {
	cluster := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "5.8.9"}) // in place of a real one
	endpoint := cluster.Join("emqx@10.0.0.1").Endpoint()

	detector, ok := emqxv5.New(emqxv5.Config{}).(ecp.Detector)
	if !ok {
		return
	}
	found, err := detector.Detect(context.Background(), endpoint)
	fmt.Println(found.Major, found.Version, found.Edition, found.Authenticated, err)
	// Output: 5 5.8.9 enterprise true <nil>
}

// The active alarms, and which nodes raised them.
func Example_alarms() {
	cluster := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "5.8.9"}) // in place of a real one
	node := cluster.Join("emqx@10.0.0.1")
	node.RaiseAlarm("runq_overload", "VM is overloaded", nil)

	broker, err := emqxv5.New(emqxv5.Config{}).Open(node.Endpoint())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	source, ok := broker.(ecp.AlarmSource)
	if !ok {
		return
	}
	alarms, err := source.ActiveAlarms(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range alarms {
		fmt.Println(a.Name, a.Nodes, a.Message)
	}
	// Output: runq_overload [emqx@10.0.0.1] VM is overloaded
}
