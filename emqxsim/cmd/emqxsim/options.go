package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// options are the program's arguments.
type options struct {
	version string
	edition string
	nodes   int
	clients int
	license int
	boot    time.Duration
	real    bool // take as long as real brokers
	latency time.Duration
	down    []string // names of nodes
	host    string
	port    int // of the first listener, the others follow; 0 means any
}

// parse reads the arguments. Help goes to w.
func parse(args []string, w io.Writer) (options, error) {
	var o options
	var listen, down string
	f := flag.NewFlagSet("emqxsim", flag.ContinueOnError)
	f.SetOutput(io.Discard) // run prints errors
	f.StringVar(&o.version, "version", "5.8.9", "`version` of EMQX: 4.4.x or 5.x")
	f.StringVar(&o.edition, "edition", "enterprise", "enterprise or opensource")
	f.IntVar(&o.nodes, "nodes", 1, "`number` of nodes, 1 to 7; they are named "+nodeName(1)+" and so on")
	f.IntVar(&o.clients, "clients", 0, "`number` of MQTT clients, spread over the nodes")
	f.IntVar(&o.license, "license", 0, "`connections` the license allows; 0 = those of the one EMQX comes with")
	f.DurationVar(&o.boot, "boot-time", 0, "`time` nodes take to start")
	f.BoolVar(&o.real, "real-pace", false, "let nodes take as long as real ones to start, and to tell of one "+
		"that hangs")
	f.DurationVar(&o.latency, "latency", 0, "`time` every answer takes")
	f.StringVar(&down, "node-down", "", "`names` of nodes that are members and do not run, with commas between")
	f.StringVar(&listen, "listen", "127.0.0.1:0", "`address` of the first listener; the others take the ports that "+
		"follow, or with port 0 any")
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(w, "emqxsim runs a simulated EMQX cluster on real sockets.")
		f.SetOutput(w)
		f.PrintDefaults()
		return o, err
	}
	if err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("it takes no arguments, and was given %q", f.Arg(0))
	}
	if down != "" {
		o.down = strings.Split(down, ",")
	}
	if err := o.address(listen); err != nil {
		return o, err
	}
	return o, o.check()
}

func (o *options) address(listen string) error {
	host, port, err := net.SplitHostPort(listen)
	if err == nil {
		o.host = host
		o.port, err = strconv.Atoi(port)
	}
	if err != nil || o.port < 0 || o.port > 65535 {
		return fmt.Errorf("--listen %s: not an address; give one as 127.0.0.1:18083, or with port 0 for any", listen)
	}
	return nil
}

func (o *options) check() error {
	v, ok := ecp.ParseVersion(o.version)
	switch {
	case !ok || v.Major < 4:
		return fmt.Errorf("--version %s: give one of EMQX 4.4 or 5, as 4.4.24 or 5.8.9", o.version)
	case o.edition != "enterprise" && o.edition != "opensource":
		return fmt.Errorf("--edition %s: give enterprise or opensource", o.edition)
	case o.nodes < 1 || o.nodes > 7:
		return fmt.Errorf("--nodes %d: give 1 to 7", o.nodes)
	case o.clients < 0:
		return fmt.Errorf("--clients %d: give 0 or more", o.clients)
	case o.license < 0:
		return fmt.Errorf("--license %d: give 0 or more", o.license)
	case o.boot < 0 || o.latency < 0:
		return errors.New("--boot-time and --latency: give 0 or more")
	}
	for _, name := range o.down {
		if !slices.Contains(o.names(), name) {
			return fmt.Errorf("--node-down %s: no such node; the nodes are %s", name, strings.Join(o.names(), ", "))
		}
	}
	return nil
}

// names returns the names of the nodes.
func (o *options) names() []string {
	var out []string
	for i := range o.nodes {
		out = append(out, nodeName(i+1))
	}
	return out
}

// nodeName returns the name of the nth node. It is not a name of this host: all nodes are
// on its ports.
func nodeName(n int) string { return "emqx@sim-" + strconv.Itoa(n) }
