package main

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

// listing is what a list is asked for with.
type listing struct {
	most  int
	watch bool
	query map[string]*string // by the name of the filter
}

// define adds the flags of a list.
func (l *listing) define(cmd *cobra.Command, k kind, watched bool) {
	flags := cmd.Flags()
	flags.IntVar(&l.most, "limit", 0, "how many at most; 0 = all")
	l.filters(cmd, k)
	if watched {
		flags.BoolVarP(&l.watch, "watch", "w", false, "go on with what changes, until Ctrl-C")
	}
}

// filters adds the flags that say what is listed.
func (l *listing) filters(cmd *cobra.Command, k kind) {
	l.query = map[string]*string{}
	for _, f := range k.filters {
		l.query[f.name] = cmd.Flags().String(f.name, "", f.usage)
	}
}

func (l *listing) values() url.Values {
	q := url.Values{}
	for name, value := range l.query {
		if *value != "" {
			q.Set(name, *value)
		}
	}
	return q
}

// listCommand lists things of a kind.
func listCommand(a *app, k kind, example string) *cobra.Command {
	var l listing
	watched := k.name != "" && k.name != kindUser && k.name != kindToken
	cmd := &cobra.Command{
		Use: "list", Short: "list " + k.short, Example: example, Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, one, err := a.client()
			if err != nil {
				return err
			}
			query := l.values()
			if k.name == kindCluster && one.Project != "" {
				query.Set("project", one.Project)
			}
			if l.watch {
				return a.watch(cmd.Context(), c, k, query, "")
			}
			return a.list(cmd.Context(), c, k, k.path, query, l.most)
		},
	}
	l.define(cmd, k, watched)
	return cmd
}

// list prints a list while it is read.
func (a *app) list(ctx context.Context, c *client.Client, k kind, path string, query url.Values, most int) error {
	p, err := a.printer(k)
	if err != nil {
		return err
	}
	if len(k.filters) == 0 && k.name != kindOperation && k.path == "" { // comes whole, and takes no limit
		return a.whole(ctx, c, p, path, most)
	}
	for o, err := range client.List[object](ctx, c, path, query, most) {
		if err != nil {
			return errors.Join(p.flush(), err)
		}
		if err := p.add(o); err != nil {
			return err
		}
	}
	return p.end()
}

// whole prints a list that the API has in one page.
func (a *app) whole(ctx context.Context, c *client.Client, p *printer, path string, most int) error {
	for o, err := range items(ctx, c, path) {
		if err != nil {
			return err
		}
		if most > 0 && p.n == most {
			break
		}
		if err := p.add(o); err != nil {
			return err
		}
	}
	return p.end()
}

// watch prints a list, or the one thing of a key, and then what changes of it, until the
// context ends.
func (a *app) watch(ctx context.Context, c *client.Client, k kind, query url.Values, only string) error {
	p, err := a.printer(k)
	if err != nil {
		return err
	}
	p.lines = true
	w := &watcher{a: a, c: c, kind: k, query: query, only: only, p: p, seen: map[string]bool{}}
	for e, err := range c.Events(ctx, client.EventOptions{Project: query.Get("project")}) {
		switch {
		case err != nil:
			return err
		case e.Kind == "" && p.n == 0:
			err = w.begin(ctx)
		case e.Kind == "":
			continue
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
	a     *app
	c     *client.Client
	kind  kind
	query url.Values
	only  string // key; empty = all
	p     *printer
	seen  map[string]bool // keys that were printed
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
	for o, err := range client.List[object](ctx, w.c, w.kind.path, w.query, 0) {
		if err != nil {
			return err
		}
		w.seen[o.text(w.kind.key)] = true
		if err := w.p.add(o); err != nil {
			return err
		}
	}
	return w.p.flush()
}

func (w *watcher) print(o object) error {
	w.seen[o.text(w.kind.key)] = true
	return errors.Join(w.p.add(o), w.p.flush())
}

// event prints what an event is about as it is now: the stream has less of a cluster.
func (w *watcher) event(ctx context.Context, e client.Event) error {
	gone := string(e.Kind) == w.kind.name && e.Deleted
	mine := string(e.Kind) == w.kind.name || e.Kind == ecp.KindTombstone && w.kind.name == kindCluster
	if !mine || w.only != "" && e.Key != w.only || e.Kind == ecp.KindTombstone {
		return nil
	}
	var o object
	if !gone {
		err := get(ctx, w.c, w.kind.item(e.Key), &o)
		if gone = errors.Is(err, ecp.ErrNotFound); err != nil && !gone {
			return err
		}
	}
	if !gone {
		if w.seen[e.Key] || w.matches(o) {
			return w.print(o)
		}
		return nil
	}
	if !w.seen[e.Key] {
		return nil
	}
	delete(w.seen, e.Key)
	if w.kind.name != kindCluster {
		w.a.tell("%s %s is gone", w.kind.words[0], e.Key)
		return nil
	}
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

// getCommand shows one thing of a kind.
func getCommand(a *app, k kind, example string) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use: "get NAME", Short: "show one of the " + k.short, Example: example, Args: takes(1, 1),
		ValidArgsFunction: a.names(k),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, one, err := a.client()
			if err != nil {
				return err
			}
			o, err := a.find(cmd.Context(), c, k, args[0], one.Project)
			if err != nil {
				return err
			}
			if watch {
				return a.watch(cmd.Context(), c, k, url.Values{}, o.text(k.key))
			}
			return a.printOne(k, o)
		},
	}
	if k.name == kindCluster {
		cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on with what changes, until Ctrl-C")
	}
	return cmd
}
