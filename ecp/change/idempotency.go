package change

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

	"github.com/openecp/openecp/ecp"
)

// IdempotencyKept is how long a repeated request gets the answer of the first.
const IdempotencyKept = 24 * time.Hour

// MaxIdempotencyKey is the length of the longest idempotency key, in bytes.
const MaxIdempotencyKey = 255

// Answered is the record of a change that came with an idempotency key. The key is not
// stored. The fingerprint is made with it, so that nobody who reads the store can guess
// arguments.
type Answered struct {
	ID          string    `json:"id"`          // hash of actor, route and key
	Fingerprint string    `json:"fingerprint"` // of the arguments
	At          time.Time `json:"at"`
	Result      string    `json:"result"` // JSON
}

// Describe returns kind, key and index.
func (a Answered) Describe() (ecp.Kind, string, ecp.Index) {
	return ecp.KindAnswered, a.ID, ecp.Index{}
}

// Copy returns a itself: it holds no reference.
func (a Answered) Copy() ecp.Payload { return a }

// once makes one change happen once. It is nil if the caller gave no key.
type once struct {
	Answered
	now time.Time
}

// once returns what stands for the idempotency key in ctx; nil without one. A key that
// is too long is invalid.
func (c *Writer) once(ctx context.Context, a ecp.Actor, q Request) (*once, error) {
	var route []byte
	key := ecp.IdempotencyKeyFrom(ctx)
	if key == "" {
		return nil, nil //nolint:nilnil // nil is a once that does nothing
	}
	if len(key) > MaxIdempotencyKey {
		return nil, ecp.NewError(ecp.CodeInvalid, q.Op,
			fmt.Sprintf("the idempotency key has %d bytes; at most %d are allowed", len(key), MaxIdempotencyKey))
	}
	asked, err := json.Marshal([]any{q.Asked, q.Secret})
	if err == nil {
		route, err = json.Marshal([]string{keyHolder(a), a.Credential, keyOp(q), key})
	}
	if err != nil {
		return nil, &ecp.Error{
			Code: ecp.CodeInternal, Op: q.Op, Message: "the request cannot be told from another", Cause: err,
		}
	}
	id := sha256.Sum256(route)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(asked)
	now := c.Now().UTC()
	answer := Answered{ID: hex.EncodeToString(id[:]), Fingerprint: hex.EncodeToString(mac.Sum(nil)), At: now}
	return &once{answer, now}, nil
}

// Repeated reports whether ctx has an idempotency key under which the request was
// carried out before. [Submit] will return that answer, so there is nothing to prepare.
func (c *Writer) Repeated(ctx context.Context, tx ecp.Tx, a ecp.Actor, q Request) (bool, error) {
	o, err := c.once(ctx, a, q)
	if err != nil {
		return false, err
	}
	var answer any
	return o.answer(tx, &answer)
}

// keyHolder returns the actor's name for the ids of answers. That of a token has no
// prefix, as in builds before tokens had one: a request that is repeated after the
// program was replaced must not be carried out twice.
func keyHolder(a ecp.Actor) string {
	if strings.HasPrefix(a.Credential, ecp.TokenCredential) {
		return strings.TrimPrefix(a.Name, ecp.TokenPrefix)
	}
	return a.Name
}

// keyOp returns the operation for the ids of answers. That of a license has its former
// spelling, for the same reason.
func keyOp(q Request) string {
	if q.Kind != ecp.KindLicense {
		return q.Op
	}
	return strings.Replace(q.Op, "license", "licence", 1)
}

// answer returns the answer of an earlier request with the same key, if there was one.
func (o *once) answer(tx ecp.Tx, into any) (known bool, err error) {
	if o == nil {
		return false, nil
	}
	before, _, err := ecp.Get[Answered](tx, o.ID)
	if errors.Is(err, ecp.ErrNotFound) || (err == nil && before.Over(o.now)) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if before.Fingerprint != o.Fingerprint {
		return false, ecp.NewError(ecp.CodeKeyReused, "",
			"the idempotency key was used for another request of this kind; give each request a key of its own")
	}
	return true, json.Unmarshal([]byte(before.Result), into)
}

// keep stores the answer for a repeated request.
func (o *once) keep(tx ecp.Tx, result any) error {
	if o == nil {
		return nil
	}
	b, err := json.Marshal(result)
	if err != nil {
		return err
	}
	a := o.Answered
	a.Result = string(b)
	return ecp.Put(tx, a, ecp.AnyVersion)
}

// Over reports whether the answer has been kept for [IdempotencyKept].
func (a Answered) Over(now time.Time) bool { return now.Sub(a.At) > IdempotencyKept }
