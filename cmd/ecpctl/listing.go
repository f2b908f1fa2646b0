package main

import (
	"context"
	"errors"
	"net/url"

	"github.com/openecp/openecp/client"
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
