package ecp

import "context"

// WithActor returns a context whose calls are made by a.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

type actorKey struct{}

// ActorFrom returns the actor of a context; false if it has none.
func ActorFrom(ctx context.Context) (Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(Actor)
	return a, ok
}

// Origin is where a call came from, for the audit. It gives no rights; it decides
// only which count of wrong passwords a login is held against.
type Origin struct {
	RemoteAddress string `json:"remoteAddress,omitempty"` // as the edge believes it, e.g. "192.0.2.7"
	RequestID     string `json:"requestId,omitempty"`
}

type originKey struct{}

// WithOrigin returns a context whose calls come from o.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginFrom returns the origin of a context; zero if it has none.
func OriginFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

type idempotencyKey struct{}

// WithIdempotencyKey returns a context in which a change is made once, however
// often it is asked for: who repeats a call with the same key, within
// [change.IdempotencyKept], gets the answer of the first. The key holds for one actor
// and one kind of call on one thing; with other arguments it is refused with
// [CodeKeyReused]. Secrets are not answered a second time. Reads ignore it.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, idempotencyKey{}, key)
}

// IdempotencyKeyFrom returns the key that [WithIdempotencyKey] set; "" where there is none.
func IdempotencyKeyFrom(ctx context.Context) string {
	key, _ := ctx.Value(idempotencyKey{}).(string)
	return key
}

type planKey struct{}

// WithPlan returns a context in which a command is carried out only where its plan has
// the hash still: else it is refused with [CodePrecondition], and nothing is done.
// Manager.Create and Cluster.Do respect it.
func WithPlan(ctx context.Context, hash string) context.Context {
	return context.WithValue(ctx, planKey{}, hash)
}

// PlanFrom returns the hash that [WithPlan] set; "" where there is none.
func PlanFrom(ctx context.Context) string {
	hash, _ := ctx.Value(planKey{}).(string)
	return hash
}
