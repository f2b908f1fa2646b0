package adopt_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxv5"
)

// A hub is the way from a Manager to adopted clusters. Its server takes the connections of
// agents, and can stand in a program's own HTTPS server.
func ExampleHub() {
	hub, err := adopt.NewHub(adopt.Config{Name: "ecp.example.com"})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	manager, err := fleet.New(ctx, fleet.Config{
		Store: memstore.New(), Link: hub, Adapters: []ecp.Adapter{emqxv5.New(emqxv5.Config{})},
	})
	if err != nil {
		panic(err)
	}
	hub.Bind(manager)

	mux := http.NewServeMux()
	mux.Handle("/agent/v1/", hub.Server())
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	hub.Server().ConfigureTLS(web) // then web.ServeTLS, and manager.Run beside hub.Run

	running := make(chan error)
	go func() { running <- hub.Run(ctx) }()
	cancel()
	fmt.Println(<-running)
	// Output: <nil>
}

// A guide has commands that can be pasted into a shell as they are.
func ExampleNewGuide() {
	guide, err := adopt.NewGuide(adopt.GuideRequest{
		URL: "https://ecp.example.com", Method: adopt.MethodBinary, Arch: "arm64",
		Token: "0123456789abcdef0123456789abcdef", ExpiresAt: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC),
		Checksums: map[string]string{"arm64": strings.Repeat("0", 64)},
	})
	if err != nil {
		panic(err)
	}
	for _, step := range guide.Steps {
		fmt.Println(step.Number, step.Title.EN)
	}
	// Output:
	// 1 Download
	// 2 Node configuration
	// 3 Register
}
