package main

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/spf13/cobra"
)

var clusterID = regexp.MustCompile(`^emqx-[0-9a-f]{8}$`)

// most is how many candidates are named where a name is not enough.
const most = 10

// find returns the one thing that a person means by an id or a name. One that may be
// several is an error that lists them.
func (a *app) find(ctx context.Context, c *client.Client, k kind, word, project string) (object, error) {
	var o object
	if k.called == "" || k.name == kindCluster && clusterID.MatchString(word) {
		return o, get(ctx, c, k.item(word), &o)
	}
	query := url.Values{"q": {word}}
	if project != "" && k.name == kindCluster {
		query.Set("project", project)
	}
	var exact, near []object
	for one, err := range client.List[object](ctx, c, k.path, query, 0) {
		switch {
		case err != nil:
			return o, err
		case one.text(k.key) == word:
			return one, nil
		case one.text(k.called) == word:
			exact = append(exact, one)
		case len(near) < most:
			near = append(near, one)
		}
		if len(exact) > most {
			break
		}
	}
	switch {
	case len(exact) == 1:
		return exact[0], nil
	case len(exact) > 1:
		return o,
			usagef("%d %s are called %q: %s; say which by its id", len(exact), k.short, word, candidates(k, exact))
	case len(near) > 0:
		return o, fmt.Errorf("no %s is called %q; there are %s", k.words[0], word, candidates(k, near))
	}
	return o, fmt.Errorf("no %s is called %q%s", k.words[0], word, inProject(project))
}

func inProject(project string) string {
	if project == "" {
		return ""
	}
	return " in " + project + "; -A looks in all projects"
}

func candidates(k kind, all []object) string {
	var out []string
	for _, o := range all {
		where := ""
		if p := o.text("project"); p != "" {
			where = " in " + p
		}
		out = append(out, fmt.Sprintf("%s (%s%s)", o.text(k.key), o.text(k.called), where))
	}
	return strings.Join(out, ", ")
}

// cluster returns the cluster that a person means.
func (a *app) cluster(ctx context.Context, word string) (*client.Client, object, error) {
	c, one, err := a.client()
	if err != nil {
		return nil, object{}, err
	}
	o, err := a.find(ctx, c, clusterKind, word, one.Project)
	return c, o, err
}

// completeTime is the timeout of one completion: a person waits for it.
const completeTime = 3 * time.Second

// names completes the first argument with the names of things of a kind.
func (a *app) names(k kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.complete(cmd, k, begun), cobra.ShellCompDirectiveNoFileComp
	}
}

// completing returns what a function finds in time. An error shows no names: there is nobody
// to tell.
func (a *app) completing(cmd *cobra.Command, find func() ([]string, error)) []string {
	if a.resolve(cmd.Flags()) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	cmd.SetContext(ctx)
	found, _ := find()
	return found
}

// complete lists names of a kind that begin so.
func (a *app) complete(cmd *cobra.Command, k kind, begun string) []string {
	return a.completing(cmd, func() ([]string, error) {
		c, one, err := a.client()
		if err != nil {
			return nil, err
		}
		field := k.key
		if k.called != "" {
			field = k.called
		}
		query := url.Values{}
		if begun != "" {
			query.Set("q", begun)
		}
		if one.Project != "" && k.name == kindCluster {
			query.Set("project", one.Project)
		}
		return begunWith(client.List[object](cmd.Context(), c, k.path, query, chunk), field, begun)
	})
}

// keysOf lists keys, that begin so, of a list that the API has in one page.
func keysOf(ctx context.Context, c *client.Client, path, field, begun string) ([]string, error) {
	return begunWith(items(ctx, c, path), field, begun)
}

// items yields what the API lists in one page. Such a list takes no limit.
func items(ctx context.Context, c *client.Client, path string) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		var page client.Page[object]
		if err := get(ctx, c, path, &page); err != nil {
			yield(object{}, err)
			return
		}
		for _, o := range page.Items {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// begunWith returns the texts of a field that begin so, also if an error has cut them off.
func begunWith(all iter.Seq2[object, error], field, begun string) (out []string, err error) {
	for o, err := range all {
		if err != nil {
			return out, err
		}
		if name := o.text(field); strings.HasPrefix(name, begun) {
			out = append(out, name)
		}
	}
	return out, nil
}
