package change

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/random"
	"github.com/openecp/openecp/ecp/internal/timekey"
)

// AuditEntry records one change: who made it, from where, and which fields differ. It is
// written in the transaction of the change. A request that was refused leaves an entry
// without changes.
type AuditEntry struct {
	ID         string    `json:"id"` // sorts by time, newest first
	At         time.Time `json:"at"`
	Actor      string    `json:"actor"`
	User       string    `json:"user,omitempty"`       // who had logged in; empty for a token
	Credential string    `json:"credential,omitempty"` // of the actor, see [ecp.Actor]
	ecp.Origin
	Action string   `json:"action"` // such as "create", "transfer", "login"
	Kind   ecp.Kind `json:"kind"`   // of what was changed
	Key    string   `json:"key"`    // of what was changed; empty for what was not created
	// Scope decides who may read the entry: everybody who may read the audit of this
	// "org/project" or "org". An empty scope is for system administrators only.
	Scope   string        `json:"scope"`
	Outcome Outcome       `json:"outcome"`
	Why     string        `json:"why,omitempty"` // the error code of a refusal
	Changes []AuditChange `json:"changes,omitempty"`
	// Unwritten is how many refusals came before this one and have no entry of their
	// own: of the same actor, or of logins from the same place under the same name.
	Unwritten int `json:"unwritten,omitempty"`
}

// Outcome is how a request ended.
type Outcome string

// Every entry has one of these.
const (
	OutcomeDone   Outcome = "done"   // it was carried out
	OutcomeDenied Outcome = "denied" // a right was missing, or a login was refused
)

// AuditChange is one field that differs. A value that may be secret is replaced by
// "[redacted]".
type AuditChange struct {
	Path   string `json:"path"`             // JSON pointer, e.g. "/spec/nodes"
	Before string `json:"before,omitempty"` // JSON; empty if the field was not there
	After  string `json:"after,omitempty"`  // JSON; empty if the field is gone
}

// Describe returns kind, key and index.
func (e AuditEntry) Describe() (ecp.Kind, string, ecp.Index) {
	return ecp.KindAudit, e.ID, ecp.Index{
		Project: e.Scope,
		Parent:  string(e.Kind) + "/" + e.Key,
		State:   string(e.Outcome),
	}
}

// Copy returns a value that shares nothing with e.
func (e AuditEntry) Copy() ecp.Payload {
	e.Changes = slices.Clone(e.Changes)
	return e
}

// auditID returns an id that sorts before those of earlier entries. n is the place of
// the entry in its transaction.
func auditID(at time.Time, n int) string {
	return timekey.NewestFirst(at) + fmt.Sprintf("%08x", math.MaxUint32-uint32(n)) + random.Hex(4)
}

// AuditOlder returns a query for the entries that are older than a time.
func AuditOlder(than time.Time) ecp.Query { return ecp.Query{After: timekey.NewestFirst(than)} }

// newAuditEntry returns the entry of a change, without id and changes.
func newAuditEntry(ctx context.Context, a ecp.Actor, q Request, now time.Time) AuditEntry {
	return AuditEntry{
		At: now, Actor: a.Name, User: a.User(), Credential: a.Credential, Origin: ecp.OriginFrom(ctx),
		Action: q.Action, Kind: q.Kind, Key: q.Key, Scope: q.Scope, Outcome: OutcomeDone,
	}
}
