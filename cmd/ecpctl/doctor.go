package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

// Limits of what doctor finds well.
const (
	goodSkew = 30 * time.Second
	goodLife = 14 * 24 * time.Hour // of the server's certificate
)

func doctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "check the server, its clock, TLS, your rights, that both builds fit, and its daemons",
		Args:    takes(0, 0),
		Long:    "doctor prints a line for each check, and exits with 1 if one of them failed.",
		Example: "  ecpctl doctor --context prod\n  ecpctl doctor -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			one, err := a.here()
			if err != nil {
				return err
			}
			d := &doctor{a: a, one: one}
			if d.checks, err = a.printer(kind{key: "check"}); err != nil {
				return err
			}
			d.examine(cmd.Context())
			if !a.forPeople() {
				d.err = errors.Join(d.err, d.checks.end())
			}
			if d.err == nil && d.failed > 0 {
				return fmt.Errorf("%d of the checks failed", d.failed)
			}
			return d.err
		},
	}
}

// doctor makes checks one after the other.
type doctor struct {
	a      *app
	one    contextOne
	checks *printer // for programs
	failed int
	err    error // of printing
}

// say prints how a check went. A warning is no failure.
func (d *doctor) say(what string, err error, well string) {
	var w warning
	result, text := "ok", well
	switch {
	case err == nil:
	case errors.As(err, &w):
		result, text = "warning", oneLine(err.Error())
	default:
		d.failed++
		result, text = "failed", oneLine(err.Error())+advice(err)
	}
	if d.a.forPeople() {
		fmt.Fprintf(d.a.out, "%s %s: %s\n", pad(result, 7), pad(what, 7), text)
		return
	}
	check := objectOf(map[string]any{"check": what, "result": result, "message": text})
	d.err = errors.Join(d.err, d.checks.add(check))
}

type warning struct{ error }

func (d *doctor) examine(ctx context.Context) {
	open, err := d.a.clientOf(d.one, nil)
	if err != nil {
		d.say("server", err, "")
		return
	}
	var v client.Version
	answer, err := open.Do(ctx, client.Request{Path: "/api/v1/version"}, &v)
	d.say("server", err, open.Server()+" answers")
	d.say("tls", d.encryption(ctx), "the certificate is trusted, or the server is on this host")
	if err != nil {
		return
	}
	_, err = open.Do(ctx, client.Request{Path: "/readyz"}, nil)
	d.say("ready", err, "the server is ready")
	d.say("clock", skew(answer.Date, time.Now()), "within "+goodSkew.String()+" of the server's")
	d.say("version", versions(buildInfo(), v), "ecpctl and ecpd are "+v.Version)
	c, _, err := d.a.client()
	var me client.Me
	if err == nil {
		me, err = c.Me(ctx)
	}
	if err == nil && len(me.Grants) == 0 {
		err = warning{errors.New(me.Name + " may do nothing; ask an administrator for a role")}
	}
	d.say("rights", err, fmt.Sprintf("%s has %d grants", me.Name, len(me.Grants)))
	if err == nil {
		d.daemons(ctx, c)
	}
}

// daemons checks those that work together on the server's database, for who may see them.
func (d *doctor) daemons(ctx context.Context, c *client.Client) {
	var list struct{ Items []seenDaemon }
	answer, err := c.Do(ctx, client.Request{Path: daemonKind.path}, &list)
	if errors.Is(err, ecp.ErrDenied) || errors.Is(err, ecp.ErrNotFound) { // or a server from before there were any
		return
	}
	if err == nil {
		err = disagree(list.Items, answer.Date)
	}
	well := "one has the database alone"
	if n := len(list.Items); n == 1 {
		well = "one is there, which others can join"
	} else if n > 1 {
		well = fmt.Sprintf("%d work together, reach one another, and are of one version, with the same time", n)
	}
	d.say("daemons", err, well)
}

// seenDaemon is one of those that work on one database.
type seenDaemon struct {
	ID, Host, Version, Address, Unheard string
	AgentAddress, PublicURL             string
	LastSeen                            time.Time
	ClockSkewSeconds                    int
	Self                                bool
}

// How far a daemon's clock and its last word may be away from those of the one that was asked:
// it says something every three seconds.
const (
	goodAhead = 5 * time.Second
	goodQuiet = 15 * time.Second
)

// disagree says where daemons that work together do not reach one another, or are not of one
// version, have not the same time, or not the same settings. now is the time of the one that
// was asked.
func disagree(all []seenDaemon, now time.Time) error {
	var wrong []string
	for _, o := range all {
		ahead := time.Duration(o.ClockSkewSeconds) * time.Second
		switch quiet := now.Sub(o.LastSeen); {
		case o.Self:
		case !now.IsZero() && quiet > goodQuiet:
			wrong = append(wrong, fmt.Sprintf("%s was last seen %s ago: it has just died", o.named(),
				quiet.Round(time.Second)))
		case o.Unheard != "":
			wrong = append(wrong, fmt.Sprintf("%s cannot be reached by the server: %s", o.named(), o.Unheard))
		case ahead.Abs() > goodAhead:
			way := "ahead of"
			if ahead < 0 {
				way = "behind"
			}
			wrong = append(wrong, fmt.Sprintf("the clock of %s is %s %s the server's; set the one that is wrong",
				o.Host, ahead.Abs(), way))
		}
	}
	same := all // those of other versions may not say what their settings are
	versions := hostsBy(all, func(o seenDaemon) string { return o.Version })
	if len(versions) > 1 {
		wrong = append(wrong, "they are of different versions: "+listed(versions)+"; finish the upgrade")
		own := slices.IndexFunc(all, func(o seenDaemon) bool { return o.Self })
		same = slices.DeleteFunc(slices.Clone(all), func(o seenDaemon) bool {
			return own < 0 || o.Version != all[own].Version
		})
	}
	if said := hostsBy(same, func(o seenDaemon) string { return o.AgentAddress }); len(said) > 1 {
		wrong = append(wrong, "they tell agents different addresses: "+listed(said)+
			"; give all of them the same --cluster-agent")
	}
	if said := hostsBy(same, func(o seenDaemon) string { return o.PublicURL }); len(said) > 1 {
		wrong = append(wrong, "they say that the API is at different URLs: "+listed(said)+
			"; give all of them the same --public-url")
	}
	if wrong == nil {
		return nil
	}
	return warning{errors.New(strings.Join(wrong, "; "))}
}

// named is a daemon for people: several can be on one host.
func (o seenDaemon) named() string { return strings.TrimSpace(o.Host + " (" + o.ID + ")") }

// hostsBy returns the hosts of daemons by what they say.
func hostsBy(all []seenDaemon, says func(seenDaemon) string) map[string][]string {
	out := map[string][]string{}
	for _, o := range all {
		out[says(o)] = append(out[says(o)], o.Host)
	}
	return out
}

// listed formats values with the hosts that have them, for one line.
func listed(hosts map[string][]string) string {
	var said []string
	for _, what := range slices.Sorted(maps.Keys(hosts)) {
		said = append(said, cmp.Or(what, "none")+" on "+strings.Join(hosts[what], ", "))
	}
	return strings.Join(said, "; ")
}

// skew compares two clocks.
func skew(theirs, ours time.Time) error {
	d := ours.Sub(theirs).Abs()
	switch {
	case theirs.IsZero():
		return warning{errors.New("the server does not say what time it is")}
	case d > goodSkew:
		return fmt.Errorf("this host and the server differ by %s; set the clock that is wrong", d.Round(time.Second))
	}
	return nil
}

// versions compares two builds.
func versions(ours, theirs client.Version) error {
	if ours.Version != theirs.Version || ours.Commit != theirs.Commit {
		return warning{fmt.Errorf("ecpctl is %s (%s), ecpd is %s (%s); use those of one build",
			ours.Version, ours.Commit, theirs.Version, theirs.Commit)}
	}
	return nil
}

// encryption checks how the token travels.
func (d *doctor) encryption(ctx context.Context) error {
	u, err := url.Parse(d.one.Server)
	if err != nil {
		return err
	}
	if u.Scheme == "http" {
		if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			return nil
		}
		return errors.New("the token travels unencrypted; use https")
	}
	transport, err := transportOf(d.one)
	if err != nil {
		return err
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	dialer := tls.Dialer{Config: transport.TLSClientConfig}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	defer conn.Close()
	secured, _ := conn.(*tls.Conn)
	ends := secured.ConnectionState().PeerCertificates[0].NotAfter
	if time.Until(ends) < goodLife {
		return warning{fmt.Errorf("the server's certificate ends at %s; renew it", ends.Format(http.TimeFormat))}
	}
	return nil
}
