package main

import "github.com/spf13/cobra"

var daemonKind = kind{
	words: []string{"daemon"}, path: "/api/v1/daemons", key: "id",
	columns: []column{
		{head: "ID", path: "id"}, {head: "HOST", path: "host"}, {head: "VERSION", path: "version"},
		{head: "SHARDS", path: "shards"}, {head: "SELF", path: "self"},
		{head: "AGE", path: "started", show: ago}, {head: "LAST SEEN", path: "lastSeen", show: clock},
		{head: "UNHEARD", path: "unheard"},
		{head: "ADDRESS", path: "address", wide: true}, {head: "STARTED", path: "started", show: clock, wide: true},
		{head: "CLOCK AHEAD", path: "clockSkewSeconds", wide: true},
	},
}

func daemonCommand(a *app) *cobra.Command {
	return grouped("daemon", "the daemons that work together on the server's database",
		"  ecpctl daemon list", daemonList(a))
}

func daemonList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list the daemons that work together on the database", Args: takes(0, 0),
		Long: "list shows each daemon with how many of the 256 shards of the fleet it works on; self is the one\n" +
			"that answers, unheard why that one cannot reach a daemon over the network. It is empty where one\n" +
			"daemon has the database alone.",
		Example: "  ecpctl daemon list -o wide",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := a.client()
			if err != nil {
				return err
			}
			p, err := a.printer(daemonKind)
			if err != nil {
				return err
			}
			return a.whole(cmd.Context(), c, p, daemonKind.path, 0)
		},
	}
}
