package shards

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Count is how many shards there are. It is part of what is stored: another number would
// give clusters two owners while daemons of both kinds run.
const Count = 256

// Of returns the shard of a cluster.
func Of(id ecp.ID) int {
	h := fnv.New32a()
	h.Write([]byte(id)) // never fails
	sum := h.Sum32()
	return int((sum ^ sum>>8 ^ sum>>16 ^ sum>>24) % Count)
}

// Daemon is the record of a daemon that shares the Store. A daemon that ends removes it.
type Daemon struct {
	ID      string    `json:"id"`                // minted when the process started
	Group   string    `json:"group,omitempty"`   // empty until it has joined the others
	Host    string    `json:"host,omitempty"`    // for people
	Address string    `json:"address,omitempty"` // under which the other daemons reach it
	Version string    `json:"version,omitempty"` // of the program
	Started time.Time `json:"started,omitzero"`
	Agents  string    `json:"agents,omitempty"` // the address that its guides tell agents to dial
	Public  string    `json:"public,omitempty"` // the URL of its API, as it tells others
	// Keys are the ids of the keys of secrets that it can read, the one that it seals with
	// first; none if it does not tell.
	Keys []string `json:"keys,omitempty"`
	// Renewals grows while the daemon is alive.
	Renewals int64 `json:"renewals"`
}

// Describe implements [ecp.Payload].
func (d Daemon) Describe() (ecp.Kind, string, ecp.Index) { return ecp.KindDaemon, d.ID, ecp.Index{} }

// Copy returns a Daemon with Keys of its own.
func (d Daemon) Copy() ecp.Payload {
	d.Keys = slices.Clone(d.Keys)
	return d
}

// Shard is the record of a shard. One that has none was never owned.
type Shard struct {
	Number int    `json:"number"`
	Owner  string `json:"owner,omitempty"` // id of a daemon; empty when the last one has handed it over
	Epoch  int64  `json:"epoch"`           // grows whenever the shard is taken
}

// Describe implements [ecp.Payload].
func (s Shard) Describe() (ecp.Kind, string, ecp.Index) {
	return ecp.KindShard, shardKey(s.Number), ecp.Index{}
}

// Copy returns s itself: it holds no reference.
func (s Shard) Copy() ecp.Payload { return s }

func shardKey(n int) string { return fmt.Sprintf("%03d", n) }

// Kinds returns the codec of the records that this package stores.
func Kinds() ecp.Codec { return ecp.CodecOf(Daemon{}, Shard{}) }
