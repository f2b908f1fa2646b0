package kubelab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// network is the part of the address space that one lab owns. A lab takes a number by
// listening on an abstract socket named after it, which ends with the process, however
// that one ends, and then adds the local route. The loopback addresses of the same number
// belong to the lab, too, so that it need not search for free ports.
type network struct {
	octet int
	ipv6  bool // pods and services have addresses of IPv6 only
}

// routeMark is the protocol of every route that a lab adds. It tells the routes that dead
// labs have left from those of other programs.
const routeMark = "217"

// errTaken means that a living lab has the network.
var errTaken = errors.New("a living lab has the network")

// hold takes the number of the network until the result is closed. Abstract sockets are
// of the network namespace, as routes are.
func (n network) hold(ctx context.Context) (io.Closer, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "unix", "@openecp-kubelab-"+strconv.Itoa(n.octet))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, errTaken
	}
	return l, err
}

// Networks are 10.64.0.0/16 to 10.95.0.0/16, and fd40:0:64::/48 and so on for pods
// on IPv6; services get 10.96.0.0/18 and fd96::/112 in every lab, since no address of
// a service leads anywhere.
const (
	firstOctet   = 64
	networkCount = 32
	serviceCIDR  = "10.96.0.0/18"
	serviceCIDR6 = "fd96::/112"
)

// route6 is the /48 whose every address is this machine, in a lab on IPv6.
func (n network) route6() string { return fmt.Sprintf("fd40:0:%d::/48", n.octet) }

// services is where services get their addresses from: of both families, or of IPv6.
func (n network) services() string {
	if n.ipv6 {
		return serviceCIDR6
	}
	return serviceCIDR + "," + serviceCIDR6
}

// advertised is the address of the API server for pods; nothing listens there. It has
// to be of the first family of services.
func (n network) advertised() string {
	if n.ipv6 {
		return fmt.Sprintf("fd40:0:%d:ffff::1", n.octet)
	}
	return n.node()
}

// route is the /16 whose every address is this machine.
func (n network) route() string { return fmt.Sprintf("10.%d.0.0/16", n.octet) }

// pods is the part that nodes take their pod ranges from (16 nodes of 2046, or with
// IPv6 of more), and mask the size of such a range.
func (n network) pods() (cidr, mask string) {
	if n.ipv6 {
		return n.route6(), "64"
	}
	return fmt.Sprintf("10.%d.0.0/17", n.octet), "21"
}

// node is the address of every node. The API server refuses loopback here.
func (n network) node() string { return fmt.Sprintf("10.%d.255.1", n.octet) }

// loopback is where the control plane listens; other machines cannot reach it.
func (n network) loopback() string { return fmt.Sprintf("127.%d.0.1", n.octet) }

// prefix is the first two octets.
func (n network) prefix() string { return fmt.Sprintf("10.%d", n.octet) }

// claim takes a free network, which is held until the result is closed. It calls record
// before each try, so that the claim is on disk before it can be left behind.
func claim(ctx context.Context, ipv6 bool, record func(network) error) (network, io.Closer, error) {
	used := addressesInUse()
	for _, i := range rand.Perm(networkCount) {
		n := network{firstOctet + i, ipv6}
		if overlapsAny(n.route(), used) {
			continue
		}
		held, err := n.hold(ctx)
		if errors.Is(err, errTaken) {
			continue
		}
		if err != nil {
			return network{}, nil, fmt.Errorf("take a range of pod addresses: %w", err)
		}
		if err = record(n); err == nil {
			err = n.addRoutes(ctx)
		}
		if err == nil {
			return n, held, nil
		}
		held.Close()
		if !strings.Contains(err.Error(), "File exists") { // otherwise it is a route of another program
			return network{}, nil, err
		}
	}
	return network{}, nil, errors.New("add a local route for pod addresses: all of 10.64.0.0/16 to 10.95.0.0/16 are " +
		"taken; see `ip route show table local`")
}

// addRoutes adds the route, and in a lab on IPv6 that one, too.
func (n network) addRoutes(ctx context.Context) error {
	if err := ip(ctx, "route", "add", "local", n.route(), "dev", "lo", "proto", routeMark); err != nil {
		return fmt.Errorf("add a local route for pod addresses: %w", err)
	}
	if !n.ipv6 {
		return nil
	}
	if err := ip(ctx, "-6", "route", "add", "local", n.route6(), "dev", "lo", "proto", routeMark); err != nil {
		return fmt.Errorf("add a local route for pod addresses of IPv6: %w", errors.Join(err, n.release(ctx)))
	}
	return nil
}

// sweepRoutes releases the networks in this namespace whose labs are dead, whether or not
// their folders are known.
func sweepRoutes(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "ip", "route", "show", "table", "local", "proto", routeMark).Output()
	if err != nil {
		return fmt.Errorf("list the routes of labs: %w", err)
	}
	var errs []error
	for _, n := range networksOf(string(out)) {
		errs = append(errs, n.releaseIfDead(ctx))
	}
	return errors.Join(errs...)
}

var labRoute = regexp.MustCompile(`(?m)^local 10\.(\d+)\.0\.0/16 dev lo `)

// networksOf returns the networks whose routes are in a list as the ip command prints it.
func networksOf(routes string) (out []network) {
	for _, m := range labRoute.FindAllStringSubmatch(routes, -1) {
		octet, err := strconv.Atoi(m[1])
		if err == nil && octet >= firstOctet && octet < firstOctet+networkCount {
			out = append(out, network{octet: octet})
		}
	}
	return out
}

// releaseIfDead releases the network unless a living lab has it.
func (n network) releaseIfDead(ctx context.Context) error {
	held, err := n.hold(ctx)
	if errors.Is(err, errTaken) {
		return nil
	}
	if err != nil {
		return err
	}
	defer held.Close()
	return n.release(ctx)
}

// release releases the network. A route that is gone already is no error.
func (n network) release(ctx context.Context) error {
	_ = ip(ctx, "-6", "route", "del", "local", n.route6(), "dev", "lo") // most labs have none
	err := ip(ctx, "route", "del", "local", n.route(), "dev", "lo")
	if err != nil && strings.Contains(err.Error(), "No such process") {
		return nil
	}
	return err
}

// ip runs the ip command.
func ip(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, lastLines(out, 2))
	}
	return nil
}

// addressesInUse returns the networks of this machine's interfaces, which a local
// route would cut off. It returns none if they cannot be read.
func addressesInUse() []netip.Prefix {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Masked())
		}
	}
	return out
}

func overlapsAny(cidr string, used []netip.Prefix) bool {
	p := netip.MustParsePrefix(cidr)
	for _, u := range used {
		if p.Overlaps(u) {
			return true
		}
	}
	return false
}

// netNamespace returns the name of this process's network namespace. A route of
// another namespace can neither be seen nor removed from here.
func netNamespace() string {
	s, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return ""
	}
	return s
}

// namespaceGone reports whether it is certain that no process is left in a network
// namespace, so that its routes are gone, too. It returns false if a process may not
// be inspected.
func namespaceGone(ns string) bool {
	links, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil || len(links) == 0 {
		return false
	}
	for _, link := range links {
		s, err := os.Readlink(link)
		if s == ns || errors.Is(err, fs.ErrPermission) {
			return false
		}
	}
	return true
}
