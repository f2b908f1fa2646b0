package ecp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// AuditEntry says who changed what, from where, and how. It is written in the
// transaction of the change.
type AuditEntry struct {
	ID         string    `json:"id"` // in the order of time, newest first
	At         time.Time `json:"at"`
	Actor      string    `json:"actor"`
	User       string    `json:"user,omitempty"`       // who had logged in; "" for a token
	Credential string    `json:"credential,omitempty"` // what the actor came with, see [Actor]
	Origin
	Action string `json:"action"` // e.g. "create", "transfer", "login"
	Kind   Kind   `json:"kind"`   // of what was changed
	Key    string `json:"key"`    // of what was changed; "" for something that was not made
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
func (e AuditEntry) Describe() (Kind, string, Index) {
	return KindAudit, e.ID, Index{Project: e.Scope, Parent: string(e.Kind) + "/" + e.Key, State: string(e.Outcome)}
}

// Copy gives a value that shares nothing with e.
func (e AuditEntry) Copy() Payload {
	e.Changes = slices.Clone(e.Changes)
	return e
}

// auditID gives ids whose order is that of time, turned round: lists begin
// with the newest. n is the entry's place in its transaction.
func auditID(at time.Time, n int) string {
	return auditMark(at) + fmt.Sprintf("%08x", math.MaxUint32-uint32(n)) + randomHex(4)
}

// auditMark is less than the id of every entry older than a time, and not less
// than the rest. Times that an id cannot hold count as the nearest it can.
func auditMark(at time.Time) string {
	switch first, last := time.Unix(0, 0), time.Unix(0, math.MaxInt64); {
	case at.Before(first):
		at = first
	case at.After(last):
		at = last
	}
	return fmt.Sprintf("%016x", math.MaxInt64-at.UnixNano())
}

func newAuditEntry(ctx context.Context, a Actor, q request, now time.Time) AuditEntry {
	return AuditEntry{
		At: now, Actor: a.Name, User: a.user(), Credential: a.Credential, Origin: originFrom(ctx), Action: q.action, Kind: q.kind, Key: q.key,
		Scope: q.scope, Outcome: OutcomeDone,
	}
}

// auditRefusal writes that something was refused for want of a right. An actor
// that is refused again and again fills no disk: the rest is counted, and written
// in sum.
func (c *Writer) auditRefusal(ctx context.Context, a Actor, q request, err error) {
	if !wasRefused(a, err) || ctx.Err() != nil {
		return
	}
	e := newAuditEntry(ctx, a, q, c.now().UTC())
	e.Outcome, e.Why = OutcomeDenied, string(CodeOf(err))
	unwritten, ok := c.refusals.take(a.Name+"\x00"+a.Credential, e, e.At)
	if !ok {
		return
	}
	e.Unwritten = unwritten
	c.writeRefusals(ctx, []AuditEntry{e})
}

// wasRefused says whether an error is a refusal. That there is no such thing is
// one, too, for who may not see everything: if only things that are there left
// a trace, the number of changes would tell which are.
func wasRefused(a Actor, err error) bool {
	return errors.Is(err, errRefused) || errors.Is(err, ErrNotFound) && !a.May(RightAdmin, "")
}

// compare lists the fields in which two values differ, as JSON sees them.
func compare(before, after any) []AuditChange {
	was, is := map[string]string{}, map[string]string{}
	flatten(was, before)
	flatten(is, after)
	var out []AuditChange
	for _, path := range sortedKeys(was) {
		if after := is[path]; after != was[path] {
			out = append(out, AuditChange{Path: path, Before: veil(path, was[path]), After: veil(path, after)})
		}
	}
	for _, path := range sortedKeys(is) {
		if _, both := was[path]; !both {
			out = append(out, AuditChange{Path: path, After: veil(path, is[path])})
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
			flattenTree(into, at+"/"+itoa(i), inner)
		}
	default:
		if b, err := json.Marshal(v); err == nil {
			into[at] = string(b)
		}
	}
}

var pointerPart = strings.NewReplacer("~", "~0", "/", "~1")

// secretWords in a path mean that the value is not to be shown: people put
// passwords into settings of their brokers.
var secretWords = []string{"password", "secret", "token", "private", "credential", "apikey", "api_key"}

func veil(path, value string) string {
	if !strings.HasPrefix(value, `"`) { // secrets are text
		return value
	}
	if namesSecret(path) || hidesSetting(path, value) {
		return `"` + redacted + `"`
	}
	return value
}

func namesSecret(path string) bool {
	path = strings.ToLower(path)
	return slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(path, w) })
}

// settingsPath is where a cluster's EMQX settings stand in what the audit compares.
const settingsPath = "/spec/hosted/config/"

// hidesSetting reports whether a value is that of an EMQX setting which may be
// secret.
func hidesSetting(path, value string) bool {
	key, is := strings.CutPrefix(path, settingsPath)
	return is && !harmless(key, strings.Trim(value, `"`))
}
