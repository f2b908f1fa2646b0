package ecptest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait of the suites; what is waited for takes
// milliseconds.
const patience = time.Minute

// storeCase is one promise of [ecp.Store].
type storeCase struct {
	name string // what is promised
	run  func(t *testing.T, s ecp.Store)
}

// TestStore holds a Store to every sentence of [ecp.Store] and [ecp.Tx]. open
// gives an empty store that ends with the test; it is called once for a case.
// Run [TestStoreConcurrency] too, and [TestDurableStore] for a store that
// survives its process.
func TestStore(t *testing.T, open func(t *testing.T) ecp.Store) {
	for _, group := range [][]storeCase{readCases, writeCases, putCases, listCases, changesCases} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
		}
	}
}

// cluster returns a record with something in every map, slice and pointer, so
// that whatever is shared or lost shows.
func cluster(id ecp.ID, name string) ecp.ClusterRecord {
	at := time.Date(2026, 3, 1, 12, 30, 0, 123456789, time.UTC)
	return ecp.ClusterRecord{
		ID: id, Name: name, Description: `"quoted", it's 中文 – and <html> & \ %`, Project: "default/default", Mode: ecp.Hosted,
		Creator: "ann", CreatedAt: at, UpdatedAt: at, Generation: 1, Revision: 1,
		Spec: ecp.Spec{Hosted: &ecp.HostedSpec{
			Image: "emqx-ee-5.8.9", Nodes: 3, Size: "1C1G", Connections: 1000, Config: map[string]string{
				"mqtt.max_packet_size": "1MB",
			},
			Network: ecp.Network{
				Type:        ecp.NodePort,
				Listeners:   []ecp.Listener{{Protocol: ecp.MQTT, Port: 1883}},
				Annotations: map[string]string{"a": "b"},
			},
			Placement: ecp.Placement{
				NodeSelector: map[string]string{"disk": "ssd"},
				Tolerations:  []ecp.Toleration{{Key: "k", Operator: "Exists"}},
			},
		}},
		Resolved: ecp.Resolved{Image: ecp.DefaultImages()[0], Size: ecp.DefaultSizes()[0]},
		Status: ecp.Status{
			State: ecp.Running, Reason: ecp.ReasonByRequest, Since: at, Auth: "uid-1", Volumes: map[int]string{
				0: "v0",
				2: "v2",
			},
			Conditions: []ecp.Condition{
				{Type: ecp.CondReady, Status: ecp.True, Reason: ecp.ReasonByRequest, Since: at},
			},
		},
	}
}

// spoil changes everything a payload refers to; a copy must not notice.
func spoil(c ecp.ClusterRecord) {
	c.Spec.Hosted.Nodes = 99
	c.Spec.Hosted.Config["mqtt.max_packet_size"] = "spoilt"
	c.Spec.Hosted.Network.Listeners[0].Port = 99
	c.Spec.Hosted.Network.Annotations["a"] = "spoilt"
	c.Spec.Hosted.Placement.NodeSelector["disk"] = "spoilt"
	c.Spec.Hosted.Placement.Tolerations[0].Key = "spoilt"
	c.Status.Volumes[0] = "spoilt"
	c.Status.Conditions[0].Status = ecp.False
}

// operation returns an operation of a cluster.
func operation(id string, of ecp.ID, project string) ecp.Operation {
	return ecp.Operation{
		ID:        ecp.OperationID(id),
		Cluster:   of,
		Project:   project,
		Kind:      ecp.OpCreate,
		Actor:     "ann",
		Phase:     ecp.PhaseRunning,
		Steps:     []ecp.Step{{Name: "apply", Done: 1, Total: 3}},
		CreatedAt: time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC),
	}
}

// onePayloadOfEach returns one payload of every kind.
func onePayloadOfEach() []ecp.Payload {
	at := time.Date(2026, 3, 1, 12, 30, 0, 1, time.UTC)
	return []ecp.Payload{
		cluster("emqx-00000001", "one"),
		ecp.Tombstone{ID: "emqx-00000002", Name: "gone", Project: "default/default", DeletedAt: at, DeletedBy: "ann"},
		operation("op-0000000000000001", "emqx-00000001", "default/default"),
		ecp.Project{Path: "default/default", CreatedAt: at},
		ecp.DefaultImages()[2],
		ecp.DefaultSizes()[1],
		ecp.DefaultPool(),
		ecp.Token{ID: "t1", Hash: "00ff", Name: "ann", Role: ecp.RoleUser, Org: "default"},
	}
}

// image returns a small record to count with.
func image(id, version string) ecp.Image { return ecp.Image{ID: id, Version: version} }

// write runs a transaction that must succeed.
func write(t *testing.T, s ecp.Store, fn func(tx ecp.Tx) error) {
	t.Helper()
	require.NoError(t, s.Write(t.Context(), fn))
}

// put writes payloads, whatever is there, in one transaction.
func put(t *testing.T, s ecp.Store, payloads ...ecp.Payload) {
	t.Helper()
	write(t, s, func(tx ecp.Tx) error {
		for _, p := range payloads {
			if err := ecp.Put(tx, p, ecp.AnyVersion); err != nil {
				return err
			}
		}
		return nil
	})
}

// read runs a reading transaction that must succeed.
func read(t *testing.T, s ecp.Store, fn func(tx ecp.Tx) error) {
	t.Helper()
	require.NoError(t, s.Read(t.Context(), fn))
}

// get returns a record that must be there.
func get(t *testing.T, s ecp.Store, kind ecp.Kind, key string) (r ecp.Record) {
	t.Helper()
	read(t, s, func(tx ecp.Tx) (err error) {
		r, err = tx.Get(kind, key)
		return err
	})
	return r
}

// seq returns the number of the last change.
func seq(t *testing.T, s ecp.Store) (n int64) {
	t.Helper()
	read(t, s, func(tx ecp.Tx) (err error) {
		n, err = tx.Seq()
		return err
	})
	return n
}

// keys returns the keys a query selects, in order.
func keys(tx ecp.Tx, q ecp.Query) ([]string, error) {
	out := []string{}
	for r, err := range tx.List(q) {
		if err != nil {
			return out, err
		}
		out = append(out, r.Key)
	}
	return out, nil
}

// requireKeys fails unless a query selects exactly these keys in this order.
func requireKeys(t *testing.T, s ecp.Store, q ecp.Query, want ...string) {
	t.Helper()
	read(t, s, func(tx ecp.Tx) error {
		got, err := keys(tx, q)
		require.Equal(t, append([]string{}, want...), got, "List(%+v)", q)
		return err
	})
}

// collect returns the first n changes after a position, and fails when they do
// not come.
func collect(t *testing.T, s ecp.Store, after int64, n int) []ecp.Change {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out []ecp.Change
	if n == 0 {
		return nil
	}
	for c, err := range s.Changes(ctx, after) {
		if err != nil {
			require.NoError(t, err, "after %d changes of %d: %s", len(out), n, brief(out))
		}
		if out = append(out, c); len(out) == n {
			break
		}
	}
	return out
}

// brief prints the last changes in one line.
func brief(changes []ecp.Change) string {
	out := ""
	for _, c := range changes[max(len(changes)-20, 0):] {
		out += fmt.Sprintf("%d:%s/%s deleted=%t; ", c.Seq, c.Kind, c.Key, c.Deleted)
	}
	return out
}

// requireSamePayload compares payloads by what JSON says of them: a store may
// turn an empty list into none.
func requireSamePayload(t *testing.T, want, got ecp.Payload) {
	t.Helper()
	require.IsType(t, want, got, "the payload comes back as a value of its own type")
	require.Equal(t, asJSON(t, want), asJSON(t, got))
}

func asJSON(t *testing.T, p ecp.Payload) string {
	t.Helper()
	b, err := json.MarshalIndent(p, "", " ")
	require.NoError(t, err)
	return string(b)
}

// soon returns a context that ends when a wait has taken too long.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
