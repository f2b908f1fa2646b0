package agentproto

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// maxProxyAnswer bounds the header of a proxy's answer to CONNECT, in bytes.
const maxProxyAnswer = 16 << 10

// proxyFromEnvironment returns the proxy for a server as HTTPS_PROXY and
// NO_PROXY say.
func proxyFromEnvironment(server *url.URL) (*url.URL, error) {
	return http.ProxyFromEnvironment(&http.Request{URL: server})
}

// dialProxy opens a connection to target (host:port) through an HTTP proxy. User
// and password in the proxy's URL are sent to the proxy and appear nowhere else.
func dialProxy(ctx context.Context, dial dialFunc, proxy *url.URL, target string) (net.Conn, error) {
	address, err := proxyAddress(proxy)
	if err != nil {
		return nil, err
	}
	conn, err := dialStep(ctx, dial, address, "the proxy "+address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, stepTimeout, errNoAnswer)
	defer cancel()
	tunnel := conn
	err = underContext(ctx, conn, func() error {
		if proxy.Scheme == "https" {
			secured := tls.Client(conn, &tls.Config{ServerName: proxy.Hostname(), MinVersion: tls.VersionTLS12})
			if err := secured.HandshakeContext(ctx); err != nil {
				return fmt.Errorf("TLS: %w", err)
			}
			tunnel = secured
		}
		return connect(tunnel, proxy, target)
	})
	if err != nil {
		conn.Close()
		return nil, explainProxy(err, address, target)
	}
	return tunnel, nil
}

// proxyAddress returns the host:port of a proxy.
func proxyAddress(proxy *url.URL) (string, error) {
	port := map[string]string{"http": "80", "https": "443"}[proxy.Scheme]
	if port == "" || proxy.Hostname() == "" {
		return "", &Failure{Step: StepProxy, Code: FailedProxy,
			Message: fmt.Sprintf("the proxy %q is none that the agent can use", showURL(proxy.Redacted())),
			Hint:    "Set HTTPS_PROXY to http://HOST:PORT or https://HOST:PORT, or list the server in NO_PROXY"}
	}
	if proxy.Port() != "" {
		port = proxy.Port()
	}
	return net.JoinHostPort(proxy.Hostname(), port), nil
}

// connect asks the proxy for a tunnel, and reads no byte beyond the answer's
// header.
func connect(conn net.Conn, proxy *url.URL, target string) error {
	var ask bytes.Buffer
	fmt.Fprintf(&ask, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: openecp-agent\r\n", target, target)
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		ask.WriteString("Proxy-Authorization: Basic " +
			base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)) + "\r\n")
	}
	ask.WriteString("\r\n")
	if _, err := conn.Write(ask.Bytes()); err != nil {
		return err
	}
	head, err := readHeader(conn)
	if err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return errors.New("it answers something that is not HTTP")
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return &proxyStatus{code: resp.StatusCode, text: cleanText(resp.Status, 100), gaveUser: proxy.User != nil}
	}
	return nil
}

// readHeader reads up to the empty line that ends a header, byte by byte: what
// follows belongs to the server behind the proxy.
func readHeader(r io.Reader) ([]byte, error) {
	var head []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) && !bytes.HasSuffix(head, []byte("\n\n")) {
		if len(head) == maxProxyAnswer {
			return nil, fmt.Errorf("its answer has more than %d bytes of header", maxProxyAnswer)
		}
		if _, err := io.ReadFull(r, one); err != nil {
			return nil, fmt.Errorf("it closed the connection instead of an answer: %w", err)
		}
		head = append(head, one[0])
	}
	return head, nil
}

// proxyStatus is an answer of a proxy that is not a tunnel.
type proxyStatus struct {
	code     int
	text     string
	gaveUser bool
}

func (p *proxyStatus) Error() string { return "it answers " + p.text }

func explainProxy(err error, proxy, target string) *Failure {
	if errors.Is(err, errNoAnswer) {
		err = errNoAnswer
	}
	f := &Failure{Step: StepProxy, Code: FailedProxy, Err: err,
		Message: fmt.Sprintf("the proxy %s opens no way to %s: %v", proxy, target, err),
		Hint:    "Ask who runs the proxy, or list the server in NO_PROXY if it can be reached without"}
	host, _, _ := strings.Cut(target, ":")
	status, ok := errors.AsType[*proxyStatus](err)
	switch {
	case !ok:
	case status.code == http.StatusProxyAuthRequired && status.gaveUser:
		f.Code, f.Hint = FailedProxyAuth, "It does not accept the user and password in HTTPS_PROXY: correct them"
	case status.code == http.StatusProxyAuthRequired:
		f.Code, f.Hint = FailedProxyAuth, "It wants a user and a password: set HTTPS_PROXY=http://USER:PASSWORD@"+proxy
	case status.code == http.StatusForbidden || status.code == http.StatusMethodNotAllowed:
		f.Hint = fmt.Sprintf("Have CONNECT to %s allowed there, or set NO_PROXY=%s if the server can be reached "+
			"without "+
			"the proxy", target, host)
	case status.code >= 500:
		f.Hint = "The proxy cannot reach the server itself: check the server's address, and what the proxy may reach"
	}
	return f
}
