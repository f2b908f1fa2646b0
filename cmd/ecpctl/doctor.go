package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/spf13/cobra"
)

// Limits of what doctor finds well.
const (
	goodSkew = 30 * time.Second
	goodLife = 14 * 24 * time.Hour // of the server's certificate
)

func doctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "check the server, its clock, TLS, your rights, and that both builds fit",
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
