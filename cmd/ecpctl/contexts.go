package main

import (
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
)

func contextCommand(a *app) *cobra.Command {
	return grouped("context", "choose and change the servers that ecpctl knows", "  ecpctl context use prod",
		contextList(a), contextUse(a), contextSet(a), contextDelete(a))
}

var contextKind = kind{key: "name", columns: []column{
	{head: "CURRENT", path: "current"}, {head: "NAME", path: "name"}, {head: "SERVER", path: "server"},
	{head: "USER", path: "user"}, {head: "PROJECT", path: "project"},
}}

func contextList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list the contexts; their tokens are not shown", Args: takes(0, 0),
		Example: "  ecpctl context list",
		RunE: func(*cobra.Command, []string) error {
			name, err := configName(a.flags.config, a.env)
			if err != nil {
				return err
			}
			file, _, err := readConfig(name)
			if err != nil {
				return err
			}
			p, err := a.printer(contextKind)
			if err != nil {
				return err
			}
			for _, one := range file.Contexts {
				row := map[string]any{"name": one.Name, "server": one.Server, "user": one.User, "project": one.Project}
				if one.Name == file.Current {
					row["current"] = "*"
				}
				if err := p.add(objectOf(row)); err != nil {
					return err
				}
			}
			return p.end()
		},
	}
}

// contextNames completes names of contexts.
func (a *app) contextNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var out []string
	if name, err := configName(a.flags.config, a.env); err == nil {
		file, _, _ := readConfig(name) // there is nobody to tell while a line is completed
		for _, one := range file.Contexts {
			out = append(out, one.Name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func contextUse(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "make a context the current one", Args: takes(1, 1),
		Example:           "  ecpctl context use prod",
		ValidArgsFunction: a.contextNames,
		RunE: func(_ *cobra.Command, args []string) error {
			return a.changeConfig(func(file *configFile) error {
				if file.find(args[0]) == nil {
					return usagef("there is no context %q; %s", args[0], file.names())
				}
				file.Current = args[0]
				return nil
			})
		},
	}
}

func contextSet(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "set NAME", Short: "make or change a context: --server, --project, --ca-file, --token-file",
		Long: "set makes a context, or changes what is given of it. A first one is the current one.\n" +
			"No server is asked; login checks what it keeps.",
		Example: "  ecpctl context set dev --server http://127.0.0.1:18180 --token-file .cache/dev/token\n" +
			"  ecpctl context set prod --project acme/shops",
		Args: takes(1, 1), ValidArgsFunction: a.contextNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeConfig(func(file *configFile) error {
				one := contextOne{Name: args[0]}
				if old := file.find(args[0]); old != nil {
					one = *old
				}
				if f := cmd.Flags(); f.Changed("server") && one.Server != a.flags.server {
					one = contextOne{Name: one.Name, Server: a.flags.server,
						Project: one.Project} // no token of another's
				}
				if one.Server == "" {
					return usagef("a context has a server: set --server")
				}
				if _, err := a.clientOf(contextOne{Server: one.Server}, nil); err != nil {
					return err
				}
				for flag, field := range map[string]*string{"ca-file": &one.CAFile, "token-file": &one.TokenFile} {
					if f := cmd.Flags().Lookup(flag); f.Changed {
						path, err := filepath.Abs(f.Value.String())
						if err != nil {
							return err
						}
						*field = path
					}
				}
				if cmd.Flags().Changed("token-file") {
					one.Token = ""
				}
				if cmd.Flags().Changed("project") {
					one.Project = a.flags.project
				}
				file.put(one)
				if file.Current == "" {
					file.Current = one.Name
				}
				return nil
			})
		},
	}
}

func contextDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "forget a context with its token", Args: takes(1, 1),
		Example: "  ecpctl context delete old", ValidArgsFunction: a.contextNames,
		RunE: func(_ *cobra.Command, args []string) error {
			return a.changeConfig(func(file *configFile) error {
				if file.find(args[0]) == nil {
					return usagef("there is no context %q; %s", args[0], file.names())
				}
				file.Contexts = slices.DeleteFunc(file.Contexts,
					func(one contextOne) bool { return one.Name == args[0] })
				if file.Current == args[0] {
					file.Current = ""
				}
				return nil
			})
		},
	}
}
