// Command inspect shows what a running EMQX says of itself: version, nodes,
// connections, license, alarms, rules and what they lead to.
//
//	EMQX_USERNAME=key EMQX_PASSWORD=secret inspect http://10.1.2.3:18083
//
// The credentials are an API key (EMQX 5), an AppID (EMQX 4, port 8081), or the
// name and password of a dashboard user. They come from the environment, where
// other users of the machine do not see them; the URL may, too, as EMQX_URL.
// Nothing on the broker is changed.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run returns the exit status: 0 when all was shown that the broker has, 1 when
// something could not be asked, 2 when the command line is wrong.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("inspect", flag.ContinueOnError)
	flags.SetOutput(stderr)
	asJSON := flags.Bool("json", false, "print JSON")
	caFile := flags.String("ca-file", "",
		"PEM file of the authorities that signed the broker's certificate; system's own when left out")
	patience := flags.Duration("timeout", 10*time.Second,
		"for each question to the broker; all of them together, which are asked side by side, have a tenth more")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: EMQX_USERNAME=… EMQX_PASSWORD=… inspect [flags] URL   (the URL may be in "+
			"EMQX_URL instead)")
		flags.PrintDefaults()
	}
	urls, err := parse(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case len(urls) == 0 && getenv("EMQX_URL") != "":
		urls = []string{getenv("EMQX_URL")}
	}
	if len(urls) != 1 {
		flags.Usage()
		return 2
	}
	transport, err := transportWith(*caFile)
	if err != nil {
		fmt.Fprintln(stderr, "inspect:", err)
		return 2
	}
	defer transport.CloseIdleConnections()
	endpoint := ecp.Endpoint{
		BaseURL: urls[0], Transport: transport,
		Credentials: ecp.Credentials{Username: getenv("EMQX_USERNAME"), Password: getenv("EMQX_PASSWORD")},
	}
	ctx, cancel := context.WithTimeout(ctx, *patience+*patience/10)
	defer cancel()
	r, err := inspect(ctx, endpoint, emqxv4.New(emqxv4.Config{Timeout: *patience}),
		emqxv5.New(emqxv5.Config{Timeout: *patience}))
	switch {
	case errors.Is(err, ecp.ErrInvalid):
		fmt.Fprintln(stderr, "inspect:", ecp.MessageOf(err))
		return 2
	case r.Major != 0 && *asJSON:
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		err = errors.Join(err, enc.Encode(r))
	case r.Major != 0:
		err = errors.Join(err, r.print(stdout))
	}
	if err != nil {
		fmt.Fprintln(stderr, "inspect:", ecp.MessageOf(err))
	}
	if err != nil || len(r.Unanswered) > 0 {
		return 1
	}
	return 0
}

// parse takes flags before and behind the other arguments, which it gives.
func parse(flags *flag.FlagSet, args []string) (others []string, err error) {
	for err = flags.Parse(args); err == nil && flags.NArg() > 0; err = flags.Parse(flags.Args()[1:]) {
		others = append(others, flags.Arg(0))
	}
	return others, err
}

// transportWith is the standard transport, trusting a file of authorities in
// place of the system's; a broker's idle connections are given up before it
// does so itself.
func transportWith(caFile string) (*http.Transport, error) {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: 4 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second}
	if caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read --ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read --ca-file: %s holds no certificate in PEM form", caFile)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}
