package peers

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// forged returns a certificate that the authority of a Mesh has issued, changed by change.
func forged(t *testing.T, m *Mesh, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	now := time.Now()
	root := m.authority.issuer(now)
	signer, err := x509.ParsePKCS8PrivateKey(root.Key)
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	of := &x509.Certificate{SerialNumber: serial(), DNSNames: []string{nameOf("bb")}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	change(of)
	der, err := x509.CreateCertificate(rand.Reader, of, root.parsed, key.Public(), signer)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// say sends bytes to a Mesh with a certificate, and returns what comes back, or why nothing.
func say(t *testing.T, address string, with tls.Certificate, text string) string {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{with},
		NextProtos: []string{http1}}}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(conn, text) // it may be closed before it has read all
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err.Error()
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	return fmt.Sprint(res.StatusCode, " ", string(body))
}

// TestForgedCertificates: that the authority has issued a certificate is not enough.
func TestForgedCertificates(t *testing.T) {
	r := newRegistry(t, 1)
	a, b := r.start(t, "aa", whoAsks), r.start(t, "bb", whoAsks)
	eventually(t, func() bool { s, _ := get(t, b, "aa", "/x/"); return s == 200 }, "bb is heard")
	at, _ := b.find("aa")
	const bad = "bad certificate"
	now := time.Now()
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		says   string
	}{
		"good":          {func(*x509.Certificate) {}, "200 bb"},
		"over":          {func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }, "expired"},
		"not yet":       {func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) }, "expired"},
		"for servers":   {func(c *x509.Certificate) { c.ExtKeyUsage[0] = x509.ExtKeyUsageServerAuth }, bad},
		"not listed":    {func(c *x509.Certificate) { c.DNSNames[0] = nameOf("cc") }, bad},
		"that asked":    {func(c *x509.Certificate) { c.DNSNames[0] = nameOf("aa") }, bad},
		"every one":     {func(c *x509.Certificate) { c.DNSNames[0] = "*" + domain }, bad},
		"no name":       {func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = nil, nameOf("bb") }, bad},
		"several names": {func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, nameOf("aa")) }, bad},
	} {
		got := say(t, at.Address, forged(t, a, c.change), "GET /x/ HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Contains(t, got, c.says, name)
	}
	// The same by one that signs itself, or is signed by a daemon's certificate.
	leaf, err := b.certificate()
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	of := &x509.Certificate{SerialNumber: serial(), DNSNames: []string{nameOf("bb")}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, of, leaf.Leaf, key.Public(), leaf.PrivateKey)
	require.NoError(t, err)
	got := say(t, at.Address, tls.Certificate{Certificate: [][]byte{der, leaf.Certificate[0]}, PrivateKey: key}, "")
	require.Contains(t, got, "tls: ")
}

// TestCrowd: whoever opens many connections, and shows nothing, does not keep daemons out,
// nor does the daemon run out of files for it.
func TestCrowd(t *testing.T) {
	r := newRegistry(t, 1)
	a, b := r.start(t, "aa", whoAsks), r.start(t, "bb", whoAsks)
	eventually(t, func() bool { s, _ := get(t, b, "aa", "/x/"); return s == 200 }, "bb is heard")
	at, _ := b.find("aa")
	crowd, began := make([]net.Conn, maxStrangers+100), time.Now()
	for i := range crowd {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", at.Address)
		require.NoError(t, err)
		defer conn.Close()
		crowd[i] = conn
	}
	_ = crowd[0].SetReadDeadline(began.Add(handshakePatience - time.Second)) // a handshake may take longer
	_, err := crowd[0].Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "the oldest has made room")
	b.plain.CloseIdleConnections()
	s, why := get(t, b, "aa", "/x/")
	require.Equal(t, 200, s, why)
	a.accepted.mu.Lock()
	defer a.accepted.mu.Unlock()
	require.LessOrEqual(t, len(a.accepted.strangers), maxStrangers)
}

// TestTooMuch: headers without end are not read, and paths are taken as they are.
func TestTooMuch(t *testing.T) {
	r := newRegistry(t, 1)
	a, b := r.start(t, "aa", whoAsks), r.start(t, "bb", whoAsks)
	eventually(t, func() bool { s, _ := get(t, b, "aa", "/x/"); return s == 200 }, "bb is heard")
	at, _ := b.find("aa")
	well := forged(t, a, func(*x509.Certificate) {})
	const begin = " HTTP/1.1\r\nHost: x\r\n"
	got := say(t, at.Address, well, "GET /x/"+begin+"A: "+strings.Repeat("a", 2*maxHeader)+"\r\n\r\n")
	require.NotContains(t, got, "200 ")
	require.Regexp(t, "^431 |reset|pipe", got)
	for path, says := range map[string]string{
		"/x/../y": "200 bb HTTP/1.1 /x/../y", "/y/../x/": "404 ", "/%78/": "404 ", "//x/": "404 ", "x/": "400 ",
	} {
		got := say(t, at.Address, well, "GET "+path+begin+"\r\n")
		require.True(t, strings.HasPrefix(got, says), "%s: %s", path, got)
	}
	// Two lengths of one body are no way to hide a second request in it.
	got = say(t, at.Address, well, "POST /x/"+begin+"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")
	require.True(t, strings.HasPrefix(got, "400 "), got)

	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://any/x/", http.NoBody)
	req.Header.Set("A", strings.Repeat("a", 2*maxHeader))
	res, err := b.Transport("aa").RoundTrip(req)
	if err == nil {
		_ = res.Body.Close()
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, res.StatusCode)
	}
}
