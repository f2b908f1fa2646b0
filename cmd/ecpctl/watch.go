package main

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
)

// watch prints a list, or the one thing of a key, and then what changes of it, until the
// context ends.
func (a *app) watch(ctx context.Context, c *client.Client, k kind, query url.Values, only string) error {
	return a.follows(ctx, &watcher{c: c, kind: k, path: k.path, query: query, only: only})
}

// watchOf does the same with things of one cluster.
func (a *app) watchOf(ctx context.Context, c *client.Client, k kind, cluster, path string) error {
	return a.follows(ctx, &watcher{c: c, kind: k, path: path, parent: cluster})
}

func (a *app) follows(ctx context.Context, w *watcher) (err error) {
	w.a, w.seen = a, map[string]string{}
	if w.p, err = a.printer(w.kind); err != nil {
		return err
	}
	w.p.lines = true
	for e, err := range w.c.Events(ctx, client.EventOptions{Project: w.query.Get("project")}) {
		switch {
		case err != nil:
			return err
		case e.Kind == "" && !w.begun:
			w.begun = true
			err = w.begin(ctx)
		case e.Kind == "":
			continue
		case w.kind.lists:
			err = w.again(ctx, e)
		default:
			err = w.event(ctx, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type watcher struct {
	a      *app
	c      *client.Client
	kind   kind
	path   string // of the list
	query  url.Values
	only   string // key; empty = all
	parent string // cluster that all are of; empty = any
	p      *printer
	begun  bool
	seen   map[string]string // what was printed last, by key
}

// begin prints what there is, when the stream of changes is open.
func (w *watcher) begin(ctx context.Context) error {
	if w.only != "" {
		var o object
		if err := get(ctx, w.c, w.kind.item(w.only), &o); err != nil {
			return err
		}
		return w.print(o)
	}
	for o, err := range w.list(ctx) {
		if err != nil {
			return err
		}
		w.seen[o.text(w.kind.key)] = w.row(o)
		if err := w.p.add(o); err != nil {
			return err
		}
	}
	return w.p.flush()
}

func (w *watcher) list(ctx context.Context) iter.Seq2[object, error] {
	if w.kind.lists {
		return items(ctx, w.c, w.path)
	}
	return client.List[object](ctx, w.c, w.path, w.query, 0)
}

// row is what is shown of a thing, but for what changes all the time.
func (w *watcher) row(o object) string {
	var out []string
	for _, c := range w.kind.columns {
		if !c.restless {
			out = append(out, c.text(w.a, o))
		}
	}
	return strings.Join(out, "\x00")
}

func (w *watcher) print(o object) error {
	w.seen[o.text(w.kind.key)] = w.row(o)
	return errors.Join(w.p.add(o), w.p.flush())
}

// again reads the whole list after an event of its cluster, where one thing cannot be read
// alone, and prints what has changed.
func (w *watcher) again(ctx context.Context, e client.Event) error {
	if e.Key != w.parent && e.Parent != w.parent {
		return nil
	}
	there := map[string]bool{}
	for o, err := range w.list(ctx) {
		if errors.Is(err, ecp.ErrNotFound) {
			break // the cluster is gone, and so are they
		}
		if err != nil {
			return err
		}
		key := o.text(w.kind.key)
		there[key] = true
		if w.seen[key] == w.row(o) {
			continue
		}
		if err := w.print(o); err != nil {
			return err
		}
	}
	for key := range w.seen {
		if !there[key] {
			w.gone(key)
		}
	}
	return nil
}

func (w *watcher) gone(key string) {
	delete(w.seen, key)
	w.a.tell("%s %s is gone", w.kind.one(), key)
}

// event prints what an event is about as it is now: the stream has less of a cluster.
func (w *watcher) event(ctx context.Context, e client.Event) error {
	if e.Kind != w.kind.event() || w.only != "" && e.Key != w.only || w.parent != "" && e.Parent != w.parent {
		return nil
	}
	gone := e.Deleted
	var o object
	if !gone {
		err := get(ctx, w.c, w.kind.item(e.Key), &o)
		if gone = errors.Is(err, ecp.ErrNotFound); err != nil && !gone {
			return err
		}
	}
	_, seen := w.seen[e.Key]
	switch {
	case !gone && (seen || w.matches(o)):
		return w.print(o)
	case !gone || !seen:
		return nil
	case w.kind.name != kindCluster:
		w.gone(e.Key)
		return nil
	}
	delete(w.seen, e.Key)
	if err := o.UnmarshalJSON(e.Object); err != nil {
		return err
	}
	label := ecp.HostedStates.Label(ecp.Gone)
	o = o.with("status.state", ecp.Gone).with("status.label", map[string]any{"zh": label.ZH, "en": label.EN})
	return errors.Join(w.p.add(o), w.p.flush())
}

// matches reports whether a thing would be in the list.
func (w *watcher) matches(o object) bool {
	for name, path := range map[string]string{
		"project": "project", "mode": "mode", "version": "version", "state": "status.state",
	} {
		if want := w.query.Get(name); want != "" && o.text(path) != want {
			return false
		}
	}
	q := strings.ToLower(w.query.Get("q"))
	return strings.Contains(strings.ToLower(o.text(w.kind.key)), q) ||
		w.kind.called != "" && strings.Contains(strings.ToLower(o.text(w.kind.called)), q)
}
