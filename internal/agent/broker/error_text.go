package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
)

// unreachedSays has the texts for errors without an answer of the broker; the first row that
// matches is used. The texts of the errors themselves may quote what was sent.
var unreachedSays = []struct {
	is   func(error) bool
	says string
}{
	{is(syscall.ECONNREFUSED), "refuses the connection; check that it runs and that this is its port"},
	{is(os.ErrDeadlineExceeded), "gives no answer in time"},
	{as[*net.DNSError], "has a host name that is not known"},
	{is(http.ErrSchemeMismatch), "speaks plain HTTP there; use http://"},
	{as[x509.HostnameError], "has a certificate for other names; use one of them in its URL"},
	{as[*tls.CertificateVerificationError], "has a certificate that is not trusted; give the CA's with --emqx-ca-file"},
	{as[tls.RecordHeaderError], "does not speak TLS there; use http://"},
	{is(io.ErrUnexpectedEOF), "closed the connection before its answer was complete"},
	{is(io.EOF), "closed the connection before its answer was complete"},
	{is(syscall.ECONNRESET), "closed the connection before its answer was complete"},
	{func(err error) bool {
		var t net.Error
		return errors.As(err, &t) && t.Timeout()
	}, "gives no answer in time"},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// wordsOf returns the text for an error of a request.
func wordsOf(err error) string {
	for _, row := range unreachedSays {
		if row.is(err) {
			return row.says
		}
	}
	return "cannot be reached"
}
