package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/openecp/openecp/client"
	"github.com/spf13/cobra"
)

const rootHelp = `ecpctl manages fleets of EMQX clusters through the API of an ecpd.

Clusters are called by name or id. Every command that prints takes -o; progress, plans and
questions go to stderr. What changes a running cluster shows its plan first and asks; --yes
goes on without a question, --dry-run shows the plan only, --no-wait returns at once.
Ctrl-C leaves an operation running.

` + exitHelp

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use: "ecpctl", Short: "manage EMQX clusters of an ecpd", Long: rootHelp,
		Example: "  ecpctl login https://ecp.example.com --user ann\n" +
			"  ecpctl cluster create sensors --nodes 3\n  ecpctl cluster list",
		SilenceErrors: true, SilenceUsage: true, Annotations: map[string]string{onlyHolds: "ecpctl"},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.resolve(cmd.Flags()); err != nil {
				return err
			}
			if a.flags.timeout > 0 {
				ctx, cancel := context.WithTimeoutCause(cmd.Context(), a.flags.timeout, errTimeout)
				a.cut = cancel
				cmd.SetContext(ctx)
			}
			return nil
		},
		RunE: group,
		Args: cobra.ArbitraryArgs,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w: %s", err, cmd.UseLine())
	})
	a.define(root.PersistentFlags())
	for _, name := range []string{"output", "lang"} {
		words := map[string][]string{
			"output": {"table", "wide", "json", "yaml", "name", "jsonpath="}, "lang": {english, chinese},
		}[name]
		_ = root.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	root.AddCommand(
		clusterCommand(a), operationCommand(a), eventsCommand(a), waitCommand(a),
		applyCommand(a), diffCommand(a), doctorCommand(a), bundleCommand(a), loginCommand(a), logoutCommand(a),
		whoamiCommand(a), passwordCommand(a), rolesCommand(a), contextCommand(a), versionCommand(a),
		overviewCommand(a), registrationCommand(a), unrecordedCommand(a), daemonCommand(a),
	)
	root.AddCommand(resourceCommands(a)...)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" { // of cobra, which takes any word
			c.RunE, c.Args, c.Annotations = group, cobra.ArbitraryArgs, map[string]string{onlyHolds: "completion"}
		}
	}
	return root
}

// group is what a command does that has others below it and was called without one.
func group(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s has no command %q", cmd.CommandPath(), args[0])
	}
	return cmd.Help()
}

// onlyHolds is the annotation of a command that does nothing but hold others.
const onlyHolds = "openecp.io/only-holds"

// grouped returns a command that only holds others.
func grouped(use, short, example string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Example: example, RunE: group, Args: cobra.ArbitraryArgs,
		Annotations: map[string]string{onlyHolds: use}}
	cmd.AddCommand(below...)
	return cmd
}

// takes refuses any other number of arguments. Names are those of the usage.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s wants more: %s", cmd.CommandPath(), cmd.UseLine())
		case most >= 0 && len(args) > most:
			return usagef("%s takes no argument %q", cmd.CommandPath(), args[most])
		}
		return nil
	}
}

// The linker sets these for a release (-X main.version=…); a build without them is told by
// what the Go tool has recorded.
var version, commit string

// buildInfo says which build this is.
func buildInfo() client.Version {
	v := client.Version{Version: version, Commit: commit, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Version = cmp.Or(v.Version, info.Main.Version)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = cmp.Or(v.Commit, s.Value)
			}
		}
	}
	v.Version, v.Commit = cmp.Or(v.Version, "(unknown)"), cmp.Or(v.Commit, "(unknown)")
	return v
}

func versionCommand(a *app) *cobra.Command {
	var own bool
	cmd := &cobra.Command{
		Use: "version", Short: "print which builds ecpctl and the server are", Args: takes(0, 0),
		Example: "  ecpctl version\n  ecpctl version --client -o json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.version(cmd.Context(), own) },
	}
	cmd.Flags().BoolVar(&own, "client", false, "only of ecpctl; no server is asked")
	return cmd
}

// builds are those of ecpctl and of the server.
type builds struct {
	Client client.Version  `json:"client"`
	Server *client.Version `json:"server,omitempty"` // nil = it was not asked
}

// version prints which builds there are. That of ecpctl is told where the server cannot be
// asked, too.
func (a *app) version(ctx context.Context, own bool) error {
	v := builds{Client: buildInfo()}
	if a.forPeople() {
		fmt.Fprintf(a.out, "ecpctl %s commit %s %s\n", v.Client.Version, v.Client.Commit, v.Client.Go)
	}
	at := ""
	if !own {
		one, err := a.here()
		if err != nil {
			return err
		}
		c, err := a.clientOf(one, nil)
		if err != nil {
			return err
		}
		theirs, err := c.Version(ctx)
		if err != nil {
			return err
		}
		v.Server, at = &theirs, c.Server()
	}
	fields, err := fieldsOf(v)
	if err != nil {
		return err
	}
	return a.printAnswer("client.version", objectOf(fields), func() error {
		if v.Server == nil {
			return nil
		}
		dev := ""
		if v.Server.Dev {
			dev = " with simulated clusters"
		}
		_, err := fmt.Fprintf(a.out, "ecpd %s commit %s %s%s at %s\n", v.Server.Version, v.Server.Commit, v.Server.Go,
			dev, at)
		return err
	})
}
