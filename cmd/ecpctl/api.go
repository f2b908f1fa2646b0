package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

// brokerFlags say how EMQX is called.
type brokerFlags struct {
	method, data, contentType string
	include                   bool
}

func apiCommand(a *app) *cobra.Command {
	var f brokerFlags
	cmd := &cobra.Command{
		Use: "api CLUSTER PATH", Short: "call the management API of a cluster's EMQX, as its administrator",
		Long: "api passes a call on to EMQX, and prints what it answers as it is. The call is a GET, or a POST if\n" +
			"there is --data; -X names another method. The path is EMQX's own, escaped, with its query: /api/v5/...\n" +
			"or /api/v4/... . The call is made once. Where EMQX answers 400 or more, its answer is printed all the\n" +
			"same, and the exit code is 4 for 401 and 403, else 1. What changes something is in the audit with\n" +
			"your name.",
		Example: "  ecpctl cluster api sensors /api/v5/nodes\n" +
			"  ecpctl cluster api sensors '/api/v5/clients?limit=10'\n" +
			"  ecpctl cluster api sensors /api/v5/banned --data '{\"as\": \"clientid\", \"who\": \"probe\"}'\n" +
			"  ecpctl cluster api sensors /api/v5/configs/global_zone -X PUT --data @zone.json",
		Args: takes(2, 2), ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.flags.output != "" && cmd.Flags().Changed("output") {
				return usagef("-o does not apply: EMQX's answer is printed as it is")
			}
			if strings.Contains(args[1], "#") {
				return usagef("in PATH, a # is written %%23")
			}
			return a.callBroker(cmd.Context(), args[0], args[1], f, cmd.Flags().Changed("data"))
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.method, "method", "X", "", "GET, HEAD, POST, PUT, PATCH or DELETE")
	flags.StringVarP(&f.data, "data", "d", "", "body: a text, @FILE, or @- for stdin")
	flags.StringVar(&f.contentType, "content-type", "application/json", "of the body")
	flags.BoolVarP(&f.include, "include", "i", false, "print the status and the headers, too")
	_ = cmd.RegisterFlagCompletionFunc("method", cobra.FixedCompletions(
		[]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// brokerError is an answer of EMQX that is no success. It was printed.
type brokerError struct{ status int }

func (e brokerError) Error() string {
	return fmt.Sprintf("EMQX answers %d %s", e.status, http.StatusText(e.status))
}

// callBroker calls EMQX, and prints what it answers.
func (a *app) callBroker(ctx context.Context, name, path string, f brokerFlags, withBody bool) error {
	call := client.BrokerCall{Method: strings.ToUpper(f.method), Path: path, ContentType: f.contentType}
	if withBody {
		if call.Method == "" {
			call.Method = http.MethodPost
		}
		body, err := a.dataOf(f.data)
		if err != nil {
			return err
		}
		defer body.Close()
		call.Body = body
	}
	c, o, err := a.cluster(ctx, name)
	if err != nil {
		return err
	}
	answer, err := c.Broker(ctx, ecp.ID(o.text("id")), call)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if f.include {
		fmt.Fprintf(a.out, "%d %s\n", answer.Status, http.StatusText(answer.Status))
		for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
			fmt.Fprintf(a.out, "%s: %s\n", name, strings.Join(answer.Header[name], ", "))
		}
		fmt.Fprintln(a.out)
	}
	end := &lastByte{out: a.out}
	if _, err := io.Copy(end, answer.Body); err != nil {
		return causeOf(ctx, err)
	}
	if a.shows && end.last != 0 && end.last != '\n' { // the prompt has a line of its own
		fmt.Fprintln(a.out)
	}
	if answer.Status >= http.StatusBadRequest {
		return brokerError{answer.Status}
	}
	return nil
}

// causeOf returns why the context has ended, if it has; else the error.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// lastByte passes on what is written, and keeps the last byte of it.
type lastByte struct {
	out  io.Writer
	last byte
}

func (l *lastByte) Write(b []byte) (int, error) {
	if len(b) > 0 {
		l.last = b[len(b)-1]
	}
	return l.out.Write(b)
}

// dataOf opens what a body is given by: a text, @FILE or @-.
func (a *app) dataOf(text string) (io.ReadCloser, error) {
	name, file := strings.CutPrefix(text, "@")
	switch {
	case !file:
		return io.NopCloser(strings.NewReader(text)), nil
	case name == "-":
		return io.NopCloser(a.in), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	return f, nil
}

func metricsCommand(a *app) *cobra.Command {
	var node string
	var all bool
	cmd := &cobra.Command{
		Use: "metrics CLUSTER", Short: "print the metrics of a cluster's EMQX, in Prometheus' text format",
		Args: takes(1, 1), Example: "  ecpctl cluster metrics sensors | grep emqx_connections_count",
		ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			if node != "" && all {
				return usagef("--node and --all-nodes exclude one another")
			}
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			r := client.Request{Path: clusterKind.item(o.text("id")) + "/metrics", Query: map[string][]string{}}
			if node != "" {
				r.Query.Set("node", node)
			}
			if all {
				r.Query.Set("scope", "nodes")
			}
			return a.stream(cmd.Context(), c, r)
		},
	}
	cmd.Flags().StringVar(&node, "node", "", "EMQX's name of the node; one that answers when left out")
	cmd.Flags().BoolVar(&all, "all-nodes", false, "of every node, with a label node (EMQX 5)")
	return cmd
}

// stream prints an answer as it comes.
func (a *app) stream(ctx context.Context, c *client.Client, r client.Request) error {
	r.Accept = "*/*"
	body, err := c.Open(ctx, r)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(a.out, body); err != nil {
		return causeOf(ctx, err)
	}
	return nil
}
