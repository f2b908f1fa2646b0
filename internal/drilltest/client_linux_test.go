package drilltest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

const (
	attemptTime = 4 * time.Second  // for one answer
	askingTime  = 40 * time.Second // for all attempts of one op
)

// doors are the ways of one client to every daemon.
type doors struct {
	dice *rand.Rand
	all  []*client.Client
	at   int // the one that answered last
}

func (w *world) doors(dice *rand.Rand) *doors {
	d := &doors{dice: dice}
	for _, address := range w.addresses {
		c, err := client.New(client.Config{Server: "http://" + address, Token: client.Token(token), Retries: -1,
			HTTP: &http.Client{Transport: &http.Transport{}}})
		require.NoError(w.t, err)
		d.all = append(d.all, c)
	}
	w.t.Cleanup(func() {
		for _, c := range d.all {
			c.CloseIdle()
		}
	})
	return d
}

// move goes to another daemon.
func (d *doors) move() {
	if n := len(d.all); n > 1 {
		d.at = (d.at + 1 + d.dice.IntN(n-1)) % n
	}
}

// ask sends a request until it is answered for certain, at another daemon each time. doubt
// reports whether an attempt was left without an answer, and may still have an effect.
func (d *doors) ask(
	ctx context.Context, r client.Request, out any,
) (a client.Answer, attempts int, doubt bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askingTime)
	defer cancel()
	for {
		attempts++
		attempt, stop := context.WithTimeout(ctx, attemptTime)
		a, err = d.all[d.at].Do(attempt, r, out)
		stop()
		var p *client.Problem
		switch {
		case err == nil:
			return a, attempts, doubt, nil
		case errors.As(err, &p) && p.Status/100 == 4 && p.Status != http.StatusTooManyRequests:
			return a, attempts, doubt, err
		case errors.As(err, &p) && p.Status == http.StatusTooManyRequests:
		default:
			doubt = true
		}
		d.move()
		select {
		case <-time.After(time.Duration(50+d.dice.IntN(200)) * time.Millisecond):
		case <-ctx.Done():
			return a, attempts, doubt, err
		}
	}
}

// actor is a client that creates, changes and deletes clusters of its own.
type actor struct {
	*doors
	number  int
	adopted bool // its clusters are, and need nobody to make them
	owns    []ecp.ID
	ops     []op
	keys    int
}

// mostOwned is how many clusters an actor has at once.
const mostOwned = 4

// act does things until ctx ends, and ends what it has begun.
func (a *actor) act(ctx context.Context) {
	work := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		a.once(work)
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(a.dice.IntN(600)) * time.Millisecond):
		}
	}
}

// once does one thing.
func (a *actor) once(ctx context.Context) {
	if a.dice.IntN(4) == 0 {
		a.move()
	}
	n := a.dice.IntN(20)
	if len(a.owns) == 0 || len(a.owns) < mostOwned && n < 3 {
		a.create(ctx)
		return
	}
	i := a.dice.IntN(len(a.owns))
	id := a.owns[i]
	switch path := client.ClustersPath + client.Path(string(id)); {
	case n < 10:
		value := fmt.Sprint(a.number, " says ", len(a.ops))
		a.do(ctx, op{what: "describe", cluster: id, value: value},
			client.Request{Method: http.MethodPatch, Path: path, Body: map[string]any{"description": value}})
	case a.adopted && n < 17:
		a.create(ctx)
	case n < 12:
		a.do(ctx, op{what: "connections", cluster: id}, client.Request{Method: http.MethodPost,
			Path: path + "/connections", Body: map[string]any{"connections": 10 + a.dice.IntN(120)}})
	case n < 14:
		a.do(ctx, op{what: "scale", cluster: id}, client.Request{Method: http.MethodPost, Path: path + "/scale",
			Body: map[string]any{"nodes": 1 + a.dice.IntN(3)}})
	case n < 17:
		verb := []string{"stop", "start", "restart"}[a.dice.IntN(3)]
		a.do(ctx, op{what: verb, cluster: id}, client.Request{Method: http.MethodPost, Path: path + "/" + verb})
	case n == 17:
		a.do(ctx, op{what: "delete", cluster: id}, client.Request{Method: http.MethodDelete, Path: path})
		a.owns = slices.Delete(a.owns, i, i+1)
	default:
		a.create(ctx)
	}
}

func (a *actor) create(ctx context.Context) {
	o := op{what: "create", value: fmt.Sprint("c-", a.number, "-", len(a.ops))}
	body := client.Create{Mode: ecp.Adopted, Project: project, Name: o.value, Spec: map[string]any{}}
	if !a.adopted {
		body.Mode, body.Spec = ecp.Hosted, map[string]any{
			"image": "emqx-ee-5.8.9", "nodes": 1, "connections": 10 + a.dice.IntN(40),
		}
	}
	o = a.do(ctx, o, client.Request{Method: http.MethodPost, Path: client.ClustersPath, Body: body})
	if o.outcome == taken && len(a.owns) < mostOwned {
		a.owns = append(a.owns, o.cluster)
	}
}

// do asks for one thing, sometimes again after it was answered, and notes what came of it.
func (a *actor) do(ctx context.Context, o op, r client.Request) op {
	a.keys++
	o.client, o.began, r.Key = a.number, time.Now(), fmt.Sprint("key-", a.number, "-", a.keys)
	for {
		var body struct{ ID ecp.ID }
		answer, attempts, doubt, err := a.ask(ctx, r, &body)
		o.attempts += attempts
		var p *client.Problem
		switch {
		case err == nil:
			o.outcome = taken
			if o.what == "create" {
				o.cluster = body.ID
				o.answers = append(o.answers, string(body.ID))
			} else {
				o.answers = append(o.answers, answer.Operation)
			}
		case o.outcome == taken: // no answer to the repetition
			var gone *client.Problem
			if errors.As(err, &gone) && gone.Status/100 == 4 {
				o.answers = append(o.answers, "refused: "+err.Error())
			}
		case errors.As(err, &p) && p.Status/100 == 4 && !doubt:
			o.outcome, o.why = refused, err.Error()
		default:
			o.outcome, o.why = unknown, err.Error()
		}
		if o.outcome == taken && len(o.answers) < 3 && a.dice.IntN(8) == 0 {
			a.move()
			continue
		}
		break
	}
	o.ended = time.Now()
	a.ops = append(a.ops, o)
	return o
}

// reader follows the stream of events, and moves between daemons.
type reader struct {
	*doors
	seen  []seen
	moves int
	wrong []string
}

// follow reads until it has seen a number, which until returns once that is known.
func (r *reader) follow(ctx context.Context, upTo func() (int64, bool)) {
	since := "0"
	for ctx.Err() == nil {
		if last, known := upTo(); known && len(r.seen) > 0 && r.seen[len(r.seen)-1].Seq >= last {
			return
		}
		r.move()
		r.moves++
		visit, stop := context.WithTimeout(ctx, time.Duration(500+r.dice.IntN(4000))*time.Millisecond)
		for e, err := range r.all[r.at].Events(visit, client.EventOptions{Since: since}) {
			if err != nil {
				if !errors.Is(err, ecp.ErrUnavailable) && visit.Err() == nil {
					r.wrong = append(r.wrong, fmt.Sprintf("the stream from %s ended: %v", since, err))
				}
				break
			}
			since = fmt.Sprint(e.Seq)
			if e.Kind != "" {
				r.seen = append(r.seen, seen{e.Seq, e.Kind, e.Key, e.State, e.Deleted, e.Object})
			}
			if last, known := upTo(); known && e.Seq >= last {
				break
			}
		}
		stop()
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}
