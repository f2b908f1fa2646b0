// Command watch follows a fleet over the JSON API and prints a line for each
// change. It shows what a client of the event stream has to do: begin with what
// there is, go on where it was when the connection breaks, and begin anew when
// that is too long ago. With `make run` in another terminal:
//
//	go run ./examples/watch
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
}

// run follows until ctx ends, which is no error, or the API refuses for good.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("watch", flag.ContinueOnError)
	flags.SetOutput(stderr)
	base := flags.String("url", "http://127.0.0.1:18180", "where ecpd is")
	tokenFile := flags.String("token-file", ".cache/dev/token",
		"file with an API token; read again for each connection")
	caFile := flags.String("ca-file", "", "file with the certificates to trust for https; default the system's")
	project := flags.String("project", "", "follow only what belongs to a project, e.g. default/default")
	since := flags.String("since", "", "id of the event to go on after; default what there is now, and then what comes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("no argument %q is taken; see -help", flags.Arg(0))
	}
	u, err := url.Parse(*base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("--url is %q; give http://HOST:PORT or https://HOST:PORT", *base)
	}
	client, err := newClient(*caFile)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	w := &watcher{
		api: &api{client: client, base: u, tokenFile: *tokenFile}, project: *project,
		print: printer{out: stdout}, notes: stderr, last: *since, silence: time.Minute,
	}
	return w.follow(ctx)
}

// newClient returns a client that follows no redirect: it would not hand the token
// on. Only the answer's head is waited for; a stream has no end.
func newClient(caFile string) (*http.Client, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second,
		ResponseHeaderTimeout: 20 * time.Second}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// readToken reads the one line of a file.
func readToken(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the API token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
