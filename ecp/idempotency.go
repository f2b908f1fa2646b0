package ecp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// IdempotencyKept is how long a repeated call gets the answer of the first.
const IdempotencyKept = 24 * time.Hour

// MaxIdempotencyKey is the length of the longest key, in bytes.
const MaxIdempotencyKey = 255

// answered is what is kept of a change that came with an idempotency key. The
// key itself is not: the fingerprint is made with it, so that arguments cannot
// be guessed from what is stored.
type answered struct {
	ID          string    `json:"id"`          // hash of actor, route and key
	Fingerprint string    `json:"fingerprint"` // of the arguments
	At          time.Time `json:"at"`
	Result      string    `json:"result"` // JSON
}

// Describe gives kind, key and index.
func (a answered) Describe() (Kind, string, Index) { return KindAnswered, a.ID, Index{} }

// Copy gives a itself: it holds no reference.
func (a answered) Copy() Payload { return a }

// once makes one change happen once; nil = the caller gave no key.
type once struct {
	answered
	now time.Time
}

func (c *Writer) once(ctx context.Context, a Actor, q request) (*once, error) {
	key := idempotencyKeyFrom(ctx)
	if key == "" {
		return nil, nil //nolint:nilnil // nil is a once that does nothing
	}
	if len(key) > MaxIdempotencyKey {
		return nil, &Error{Code: CodeInvalid, Op: q.op, Message: fmt.Sprintf("the idempotency key has %d bytes; at most %d are allowed", len(key), MaxIdempotencyKey)}
	}
	asked, err := json.Marshal([]any{q.asked, q.secret})
	if err != nil {
		return nil, &Error{Code: CodeInternal, Op: q.op, Message: "the request cannot be told from another", Cause: err}
	}
	route, err := json.Marshal([]string{keyHolder(a), a.Credential, q.op, key})
	if err != nil {
		return nil, &Error{Code: CodeInternal, Op: q.op, Message: "the request cannot be told from another", Cause: err}
	}
	id := sha256.Sum256(route)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(asked)
	now := c.now().UTC()
	return &once{answered{ID: hex.EncodeToString(id[:]), Fingerprint: hex.EncodeToString(mac.Sum(nil)), At: now}, now}, nil
}

// keyHolder returns the name that stands in the ids of answers: that of a token
// without its prefix, as it was before tokens had one, so that a call is not made a
// second time because the program was replaced by a newer one in between.
func keyHolder(a Actor) string {
	if strings.HasPrefix(a.Credential, tokenCredential) {
		return strings.TrimPrefix(a.Name, TokenPrefix)
	}
	return a.Name
}

// answer gives the answer of an earlier call with the same key, if there was one.
func (o *once) answer(tx Tx, into any) (known bool, err error) {
	if o == nil {
		return false, nil
	}
	before, _, err := Get[answered](tx, o.ID)
	if errors.Is(err, ErrNotFound) || (err == nil && before.over(o.now)) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if before.Fingerprint != o.Fingerprint {
		return false, fail(CodeKeyReused, "", "the idempotency key was used for another request of this kind; give each request a key of its own")
	}
	return true, json.Unmarshal([]byte(before.Result), into)
}

// keep stores the answer for who asks again.
func (o *once) keep(tx Tx, result any) error {
	if o == nil {
		return nil
	}
	b, err := json.Marshal(result)
	if err != nil {
		return err
	}
	a := o.answered
	a.Result = string(b)
	return Put(tx, a, AnyVersion)
}

func (a answered) over(now time.Time) bool { return now.Sub(a.At) > IdempotencyKept }
