package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/httpapi"
)

// A program mounts the handler in a server of its own, beside routes of its own. Here the
// clusters are simulated; k8sprovisioner makes real ones.
func Example() {
	const token = "a-token-of-at-least-16-characters"
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	clusters, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	manager, err := fleet.New(ctx, fleet.Config{
		Store: memstore.New(), Provisioners: map[string]ecp.Provisioner{"default": clusters},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := manager.Accounts.Bootstrap(ctx, token); err != nil { // the first token, which may do everything
		log.Fatal(err)
	}
	api, err := httpapi.New(httpapi.Config{Manager: manager, Done: ctx.Done()})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/api/", api)
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	server := httptest.NewServer(mux)
	defer server.Close()

	body := `{"mode": "hosted", "name": "orders", "spec": {"nodes": 3, "connections": 1000}}`
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/api/v1/clusters",
		strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := server.Client().Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	// Output: 202 Accepted
}
