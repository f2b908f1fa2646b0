package main

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/agent/home"
)

// serverFlags say where the server is, and how to get there.
type serverFlags struct {
	url    string
	pins   []string
	tunnel string
	proxy  string
}

func (f *serverFlags) define(flags *pflag.FlagSet) {
	flags.StringVar(&f.url, "url", "",
		"address of the server, as https://ecp.example.com:8443; an ending /api is left out")
	flags.StringSliceVar(&f.pins, "ca-sha256", nil,
		"SHA-256 of the certificate authority to trust, in hex; without it those of this host are trusted")
	flags.StringVar(&f.tunnel, "tunnel", "",
		"how to connect: auto (the default), direct, or websocket where TLS ends on the way")
	flags.StringVar(&f.proxy, "proxy", "",
		"HTTP proxy on the way, as http://proxy:3128; none for no proxy; without it HTTPS_PROXY and NO_PROXY count")
}

var (
	isPin = regexp.MustCompile(`^[0-9a-f]{64}$`)

	tunnelModes = []agentproto.TunnelMode{agentproto.TunnelAuto, agentproto.TunnelDirect, agentproto.TunnelWebSocket}
)

// check refuses what can never work, before anything is asked.
func (f *serverFlags) check(needURL bool) error {
	if f.url == "" && needURL {
		return fail(exitUsage, "The guide in the server's console has the whole command.", "--url is missing")
	}
	if f.url != "" {
		if _, err := agentproto.ParseServerURL(f.url); err != nil {
			return fail(exitUsage, "", "--url: %w", err)
		}
	}
	for i, pin := range f.pins {
		f.pins[i] = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(pin), ":", "")) // openssl prints colons
		if !isPin.MatchString(f.pins[i]) {
			return fail(exitUsage, "", "--ca-sha256: %q is not 64 hexadecimal digits", pin)
		}
	}
	known := f.tunnel == ""
	for _, m := range tunnelModes {
		known = known || f.tunnel == string(m)
	}
	if !known {
		return fail(exitUsage, "", "--tunnel is %q; auto, direct or websocket is wanted", f.tunnel)
	}
	_, err := f.proxyFunc()
	return err
}

// orStored fills in what was not given from the agent's settings, which are what the
// agent itself uses.
func (f *serverFlags) orStored(dir home.Dir) error {
	stored, err := agent.ReadSettings(string(dir))
	if err != nil {
		return err
	}
	f.tunnel, f.proxy = cmp.Or(f.tunnel, string(stored.Tunnel)), cmp.Or(f.proxy, stored.Proxy)
	return nil
}

// proxyHere returns the address of the proxy that this process would use for the
// server by its environment, "" for none. A service of systemd, or a shell of
// tomorrow, has another environment.
func (f *serverFlags) proxyHere() string {
	proxy, err := f.proxyFunc()
	server, err2 := agentproto.ParseServerURL(f.url)
	if f.proxy != "" || err != nil || err2 != nil {
		return ""
	}
	if u, err := proxy(server); err == nil && u != nil {
		return u.String()
	}
	return ""
}

// noProxy is the value of --proxy that turns the environment's off.
const noProxy = "none"

// proxyFunc returns which proxy to use for a URL.
func (f *serverFlags) proxyFunc() (func(*url.URL) (*url.URL, error), error) {
	switch f.proxy {
	case "":
		return func(u *url.URL) (*url.URL, error) {
			return http.ProxyFromEnvironment(&http.Request{URL: u})
		}, nil
	case noProxy:
		//nolint:nilnil // as of http.Transport: no proxy
		return func(*url.URL) (*url.URL, error) { return nil, nil }, nil
	}
	u, err := url.Parse(f.proxy)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		err = errors.New("it is not the http(s) address of a proxy") // what url says may hold a password
		return nil, fail(exitUsage, "", "--proxy: %w", err)
	}
	return func(*url.URL) (*url.URL, error) { return u, nil }, nil
}
