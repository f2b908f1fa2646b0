package change

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/random"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// AuditEntry says who changed what, from where, and how. It is written in the
// transaction of the change.
type AuditEntry struct {
	ID         string    `json:"id"` // in the order of time, newest first
	At         time.Time `json:"at"`
	Actor      string    `json:"actor"`
	User       string    `json:"user,omitempty"`       // who had logged in; "" for a token
	Credential string    `json:"credential,omitempty"` // what the actor came with, see [ecp.Actor]
	ecp.Origin
	Action string   `json:"action"` // e.g. "create", "transfer", "login"
	Kind   ecp.Kind `json:"kind"`   // of what was changed
	Key    string   `json:"key"`    // of what was changed; "" for something that was not made
	// Scope is who may read the entry: those who may read the audit of the
	// "org/project" or "org"; "" = system admins only.
	Scope   string        `json:"scope"`
	Outcome Outcome       `json:"outcome"`
	Why     string        `json:"why,omitempty"` // of a refusal
	Changes []AuditChange `json:"changes,omitempty"`
	// Unwritten is how many refusals of the same actor, or of logins from the same
	// place under the same name, came before this one and were too many to be written
	// one by one.
	Unwritten int `json:"unwritten,omitempty"`
}

// Outcome is what became of what was asked for.
type Outcome string

// The outcomes.
const (
	OutcomeDone   Outcome = "done"
	OutcomeDenied Outcome = "denied"
)

// AuditChange is one field that differs. Values that may be secret are never
// in it.
type AuditChange struct {
	Path   string `json:"path"`             // JSON pointer, e.g. "/spec/nodes"
	Before string `json:"before,omitempty"` // JSON; "" = it was not there
	After  string `json:"after,omitempty"`  // JSON; "" = it is not there any more
}

// Describe gives kind, key and index.
func (e AuditEntry) Describe() (ecp.Kind, string, ecp.Index) {
	return ecp.KindAudit, e.ID, ecp.Index{Project: e.Scope, Parent: string(e.Kind) + "/" + e.Key, State: string(e.Outcome)}
}

// Copy gives a value that shares nothing with e.
func (e AuditEntry) Copy() ecp.Payload {
	e.Changes = slices.Clone(e.Changes)
	return e
}

// AuditID gives ids whose order is that of time, turned round: lists begin
// with the newest. n is the entry's place in its transaction.
func AuditID(at time.Time, n int) string {
	return AuditMark(at) + fmt.Sprintf("%08x", math.MaxUint32-uint32(n)) + random.Hex(4)
}

// AuditMark is less than the id of every entry older than a time, and not less
// than the rest. Times that an id cannot hold count as the nearest it can.
func AuditMark(at time.Time) string {
	switch first, last := time.Unix(0, 0), time.Unix(0, math.MaxInt64); {
	case at.Before(first):
		at = first
	case at.After(last):
		at = last
	}
	return fmt.Sprintf("%016x", math.MaxInt64-at.UnixNano())
}

// NewAuditEntry returns the entry of a change that was made, without id and changes.
func NewAuditEntry(ctx context.Context, a ecp.Actor, q Request, now time.Time) AuditEntry {
	return AuditEntry{
		At: now, Actor: a.Name, User: a.User(), Credential: a.Credential, Origin: ecp.OriginFrom(ctx), Action: q.Action, Kind: q.Kind, Key: q.Key,
		Scope: q.Scope, Outcome: OutcomeDone,
	}
}

// AuditRefusal writes that something was refused for want of a right. An actor
// that is refused again and again fills no disk: the rest is counted, and written
// in sum.
func (c *Writer) AuditRefusal(ctx context.Context, a ecp.Actor, q Request, err error) {
	if !wasRefused(a, err) || ctx.Err() != nil {
		return
	}
	e := NewAuditEntry(ctx, a, q, c.Now().UTC())
	e.Outcome, e.Why = OutcomeDenied, string(ecp.CodeOf(err))
	unwritten, ok := c.refusals.Take(a.Name+"\x00"+a.Credential, e, e.At)
	if !ok {
		return
	}
	e.Unwritten = unwritten
	c.WriteRefusals(ctx, []AuditEntry{e})
}

// wasRefused says whether an error is a refusal. That there is no such thing is
// one, too, for who may not see everything: if only things that are there left
// a trace, the number of changes would tell which are.
func wasRefused(a ecp.Actor, err error) bool {
	return errors.Is(err, ecp.ErrNoRight) || errors.Is(err, ecp.ErrNotFound) && !a.May(ecp.RightAdmin, "")
}

// Compare lists the fields in which two values differ, as JSON sees them.
func Compare(before, after any) []AuditChange {
	was, is := map[string]string{}, map[string]string{}
	flatten(was, before)
	flatten(is, after)
	var out []AuditChange
	for _, path := range slices.Sorted(maps.Keys(was)) {
		if after := is[path]; after != was[path] {
			out = append(out, AuditChange{Path: path, Before: Veil(path, was[path]), After: Veil(path, after)})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(is)) {
		if _, both := was[path]; !both {
			out = append(out, AuditChange{Path: path, After: Veil(path, is[path])})
		}
	}
	slices.SortFunc(out, func(a, b AuditChange) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// flatten gives every scalar of a value by its JSON pointer.
func flatten(into map[string]string, v any) {
	if v == nil {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		into[""] = `"[cannot be shown]"`
		return
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err == nil {
		flattenTree(into, "", tree)
	}
}

func flattenTree(into map[string]string, at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			flattenTree(into, at+"/"+pointerPart.Replace(key), inner)
		}
	case []any:
		for i, inner := range v {
			flattenTree(into, at+"/"+strconv.Itoa(i), inner)
		}
	default:
		if b, err := json.Marshal(v); err == nil {
			into[at] = string(b)
		}
	}
}

var pointerPart = strings.NewReplacer("~", "~0", "/", "~1")

// Veil returns the JSON of a value as the audit keeps it: "[redacted]" for texts whose
// path says that they may be secrets.
func Veil(path, value string) string {
	if !strings.HasPrefix(value, `"`) { // secrets are text
		return value
	}
	if setting.NamesSecret(path) || hidesSetting(path, value) {
		return `"` + setting.Redacted + `"`
	}
	return value
}

// settingsPath is where a cluster's EMQX settings stand in what the audit compares.
const settingsPath = "/spec/hosted/config/"

// hidesSetting reports whether a value is that of an EMQX setting which may be
// secret.
func hidesSetting(path, value string) bool {
	key, is := strings.CutPrefix(path, settingsPath)
	return is && !setting.Harmless(key, strings.Trim(value, `"`))
}
