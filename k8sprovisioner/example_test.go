package k8sprovisioner_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/k8sprovisioner"
)

// A program that only looks: it prints how many nodes of a cluster are ready whenever
// something changes. A Manager calls a Provisioner in the same way.
func Example() {
	rest, err := k8sprovisioner.LoadREST("ecpd.kubeconfig")
	if err != nil {
		log.Fatal(err)
	}
	p, err := k8sprovisioner.New(k8sprovisioner.Config{REST: rest, Reach: k8sprovisioner.PortForward})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	changed := make(chan ecp.ID, 16)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer close(changed)
		if err := p.Watch(ctx, func(id ecp.ID) { changed <- id }); err != nil {
			log.Print(err)
		}
	})
	for id := range changed {
		seen, err := p.Observe(ctx, id)
		if err != nil {
			log.Print(err)
			continue
		}
		ready := 0
		for _, node := range seen.Nodes {
			if node.Ready {
				ready++
			}
		}
		fmt.Printf("%s: %d of %d nodes are ready\n", id, ready, seen.Replicas)
	}
	watching.Wait()
}

// A kubeconfig that came over a network must not name files or programs of this machine.
func ExampleParseKubeconfig() {
	_, err := k8sprovisioner.ParseKubeconfig([]byte(`
apiVersion: v1
kind: Config
users:
- name: ecpd
  user: {tokenFile: /etc/shadow}
`))
	fmt.Println(strings.ReplaceAll(err.Error(), "; ", ";\n"))
	// Output:
	// the kubeconfig's user "ecpd" has tokenFile, which leads out of the file;
	// put token, client-certificate-data and client-key-data into it
}
