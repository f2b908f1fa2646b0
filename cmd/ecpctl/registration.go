package main

import (
	"context"
	"net/http"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/spf13/cobra"
)

var registrationKind = kind{
	words: []string{"registrations"}, short: "list the registration tokens of an adopted cluster", key: "id",
	columns: []column{
		{head: "ID", path: "id"}, {head: "GOOD", path: "expiresAt", show: goodUntil}, {head: "USES", path: "uses"},
		{head: "EXPIRES", path: "expiresAt", show: clock}, {head: "CREATED BY", path: "createdBy"},
		{head: "CREATED", path: "createdAt", show: clock, wide: true},
		{head: "REVOKED", path: "revokedAt", show: clock, wide: true},
	},
}

// goodUntil reports whether a registration token can still be used.
func goodUntil(_ *app, o object, path string) string {
	if o.text("revokedAt") != "" {
		return "revoked"
	}
	ends, err := time.Parse(time.RFC3339Nano, o.text(path))
	switch {
	case err != nil:
		return ""
	case time.Now().After(ends):
		return "expired"
	}
	return "yes"
}

func registrationCommand(a *app) *cobra.Command {
	list := ofCluster(a, registrationKind)
	list.Use, list.Example = "list CLUSTER", "  ecpctl registration list plant"
	revoke := removal{
		verb: "revoke", argument: "REGISTRATION", what: "registration", path: "/registrations", done: "revoked",
		question: askRevoke,
		short:    "revoke a registration token; agents that have used it stay",
		example:  "  ecpctl registration revoke plant reg-0123456789abcdef", of: registrationKind,
	}.command(a)
	return grouped("registration", "list and revoke the tokens that agents register with",
		"  ecpctl registration list plant", list, revoke)
}

// removal is a command that takes one thing of a cluster away.
type removal struct {
	verb, argument, what, path, done, short, example string
	question                                         string // about the thing and its cluster
	of                                               kind   // that are completed
}

func (r removal) command(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: r.verb + " CLUSTER " + r.argument, Short: r.short, Args: takes(2, 2), Example: r.example,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !yes {
				if err := a.ask(cmd.Context(), r.question, args[1], args[0]); err != nil {
					return err
				}
			}
			path := clusterKind.item(o.text("id")) + r.path + client.Path(args[1])
			if _, err := c.Do(cmd.Context(), client.Request{Method: http.MethodDelete, Path: path}, nil); err != nil {
				return err
			}
			a.tell("%s %s %s", r.done, r.what, args[1])
			return nil
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		switch len(args) {
		case 0:
			return a.names(clusterKind)(cmd, args, begun)
		case 1:
			return a.completing(cmd, func() ([]string, error) {
				c, o, err := a.cluster(cmd.Context(), args[0])
				if err != nil {
					return nil, err
				}
				return keysOf(cmd.Context(), c, clusterKind.item(o.text("id"))+r.path, r.of.key, begun)
			}), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func setupCommand(a *app) *cobra.Command {
	var s setupFlags
	cmd := &cobra.Command{
		Use: "setup CLUSTER", Short: "print the commands that bring an agent to run beside a cluster",
		Long: "setup makes a registration token for an adopted cluster that is recorded already, and prints the\n" +
			"commands that use it. It does not wait; cluster adopt records the cluster, too, and waits.",
		Example: "  ecpctl cluster setup plant --arch arm64 --life 1h\n  ecpctl cluster setup plant --method container",
		Args:    takes(1, 1), ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.setup(cmd.Context(), c, o.text("id"), s.body())
		},
	}
	s.define(cmd)
	return cmd
}

// setupFlags say what the guide to an agent is for.
type setupFlags map[string]*string

func (s *setupFlags) define(cmd *cobra.Command) {
	*s = setupFlags{}
	for name, usage := range map[string]string{
		"arch": "amd64, arm or arm64", "method": "binary, container or kubernetes",
		"life": "how long the token is good for, such as 24h",
	} {
		(*s)[name] = cmd.Flags().String(name, "", usage)
	}
	for name, words := range map[string][]string{
		"arch": {"amd64", "arm", "arm64"}, "method": {"binary", "container", "kubernetes"},
	} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}

func (s setupFlags) body() map[string]any {
	body := map[string]any{}
	for name, value := range s {
		if *value != "" {
			body[name] = *value
		}
	}
	return body
}

// setup makes a registration token and prints the guide that holds it.
func (a *app) setup(ctx context.Context, c *client.Client, id string, body map[string]any) error {
	var g guide
	path := clusterKind.item(id) + "/setup"
	answer, err := c.Do(ctx, client.Request{Method: http.MethodPost, Path: path, Body: body}, &g)
	if err != nil {
		return err
	}
	var all object
	if err := all.UnmarshalJSON(answer.Body); err != nil {
		return err
	}
	return a.printAnswer("tokenId", all, func() error {
		a.printGuide(g)
		return nil
	})
}
