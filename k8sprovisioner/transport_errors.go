package k8sprovisioner

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// transportErrors maps the causes of a missing answer to messages for people, with a
// remedy. The first match counts, so that the cause of a time-out comes before it.
var transportErrors = []struct {
	is  func(error) bool
	say func(error) string
}{
	{is: as[x509.UnknownAuthorityError], say: fixed("the certificate of the Kubernetes API is signed by an " +
		"authority that the kubeconfig does not name; give that authority in certificate-authority-data")},
	{is: as[x509.HostnameError], say: func(err error) string {
		var h x509.HostnameError
		errors.As(err, &h)
		return fmt.Sprintf("the certificate of the Kubernetes API is not for the name %s; give a server that it is "+
			"for, or tls-server-name", h.Host)
	}},
	{is: expired, say: fixed("the certificate of the Kubernetes API has expired or is not valid yet; renew it, and " +
		"compare the clocks")},
	{is: as[x509.CertificateInvalidError], say: fixed("the certificate of the Kubernetes API is not valid")},
	{is: as[*tls.CertificateVerificationError], say: fixed("the certificate of the Kubernetes API cannot be verified")},
	{is: func(err error) bool { return as[tls.RecordHeaderError](err) || errors.Is(err, http.ErrSchemeMismatch) },
		say: fixed("what answers at the server of the kubeconfig does not speak TLS; compare address and port")},
	{is: as[tls.AlertError], say: fixed("the Kubernetes API refused the TLS connection, most likely for the client " +
		"certificate; compare client-certificate-data")},
	{is: proxied, say: fixed("the proxy in front of the Kubernetes API does not answer or refuses; compare " +
		"proxy-url and HTTPS_PROXY")},
	{is: as[*net.DNSError], say: func(err error) string {
		var d *net.DNSError
		errors.As(err, &d)
		return fmt.Sprintf("the name %s of the Kubernetes API is not found in DNS", d.Name)
	}},
	{is: is(syscall.ECONNREFUSED), say: fixed("the Kubernetes API refuses connections: nothing listens at its " +
		"address and port")},
	{is: is(syscall.EHOSTUNREACH, syscall.ENETUNREACH), say: fixed("there is no network route to the Kubernetes API")},
	{is: is(context.Canceled), say: fixed("")},
	{is: timedOut, say: fixed("the Kubernetes API did not answer in time")},
	{is: is(syscall.ECONNRESET, syscall.EPIPE), say: fixed("the connection to the Kubernetes API was cut")},
}

// transportMessage returns why the API server has not answered.
func transportMessage(err error) string {
	for _, row := range transportErrors {
		if !row.is(err) {
			continue
		}
		if said := row.say(err); said != "" {
			return said + "; it is tried again"
		}
		return "it was given up"
	}
	return "the Kubernetes API does not answer; it is tried again"
}

func as[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

func is(targets ...error) func(error) bool {
	return func(err error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
}

func fixed(text string) func(error) string { return func(error) string { return text } }

func expired(err error) bool {
	var c x509.CertificateInvalidError
	return errors.As(err, &c) && c.Reason == x509.Expired
}

// proxied reports whether a proxy has failed or refused. net/http has no type for the
// refusal of a proxy: its error is only the text of the status.
func proxied(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "proxyconnect" {
		return true
	}
	return strings.HasSuffix(err.Error(), ": Proxy Authentication Required")
}

func timedOut(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}
