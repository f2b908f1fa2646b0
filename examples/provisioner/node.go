package main

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
)

// sim is what the nodes of one cluster simulate together.
type sim struct {
	keys    string // UID of the keys it was made with
	cluster *emqxsim.Cluster
}

// node is one broker that runs: a server on this host.
type node struct {
	ordinal  int
	name     string // EMQX's
	pod      string
	uid      string
	revision string
	image    string
	address  string
	since    time.Time
	server   *http.Server
	broker   *emqxsim.Node
	ended    chan struct{} // closed when the server has ended
}

// startNode runs a broker on a port of its own until stop is called.
func startNode(ctx context.Context, id ecp.ID, ordinal int, rec record, s *sim) (*node, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	pod := string(id) + "-" + strconv.Itoa(ordinal)
	n := &node{
		ordinal: ordinal, name: "emqx@" + pod + ".localhost", pod: pod, uid: newUID(), revision: rec.Revision,
		image: rec.Image.Reference, address: l.Addr().String(), since: time.Now(), ended: make(chan struct{}),
	}
	n.broker = s.cluster.Join(n.name)
	n.broker.SetVersion(rec.Image.Version)
	n.server = &http.Server{Handler: n.broker.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(n.ended)
		_ = n.server.Serve(l) // it always ends with an error: that of being closed
		n.broker.Kill()
	}()
	return n, nil
}

// stop ends the node's server; running says when it has ended.
func (n *node) stop() { _ = n.server.Close() }

func (n *node) running() bool {
	select {
	case <-n.ended:
		return false
	default:
		return true
	}
}

func (n *node) observation() ecp.NodeObservation {
	o := ecp.NodeObservation{
		Ordinal: n.ordinal, Name: n.name, Pod: n.pod, PodUID: n.uid, Host: "localhost", IP: "127.0.0.1",
		Ready:    n.running(),
		Revision: n.revision, Image: n.image, Volume: volumeName(n.ordinal), Since: n.since,
	}
	if !o.Ready {
		o.Reason = "Ended"
	}
	return o
}
