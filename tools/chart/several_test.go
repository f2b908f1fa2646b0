package chart

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/kubelab/emqxpod"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
)

// databasePassword is what the server wants beside the certificate.
const databasePassword = "a password of the database"

// TestSeveral: the pods of two replicas, run as they are rendered on addresses of their own,
// with a PostgreSQL that wants TLS, a certificate and a password, work together, under the
// rights and the policy of the chart.
func TestSeveral(t *testing.T) {
	lab := startLab(t)
	server := pgtest.Start(t)
	h := newHelm(t, lab)
	url := secured(t, h, server)
	values := fmt.Sprintf(`
replicas: 2
config: {cluster: {agent: "https://ecp.example.com"}, log: {level: debug}}
database: {url: %q, passwordSecret: ecpd-database, caSecret: ecpd-database-ca, clientSecret: ecpd-database-client}
`, url)
	installed := h.install(values)
	require.Contains(t, installed.Info.Notes, "kubectl rollout status deployment/ecpd")
	require.ErrorContains(t, h.upgrade("1.0.0", "replicas: 1"),
		"database.url: the data of these daemons are on a PostgreSQL server")
	emqxpod.Start(t, lab)

	one, two := startSeveral(t, h, "127.0.0.11"), startSeveral(t, h, "127.0.0.12")
	one.ready(t)
	two.ready(t)
	both := one.together(t, 2)
	require.ElementsMatch(t, []string{"127.0.0.11:18190", "127.0.0.12:18190"}, both)
	require.ElementsMatch(t, both, two.together(t, 2))
	cluster := one.fill(t)
	two.has(t, cluster)
	for _, d := range []*daemon{one, two} { // agents are known everywhere only by way of the peer port
		d.Logs(t, "another daemon is heard")
	}
	require.Contains(t, h.get("lease/openecp", ".spec.holderIdentity"), "several-daemons", "both hold it")

	// As in a rolling upgrade: a third one comes, an old one goes, and nobody notices.
	three := startSeveral(t, h, "127.0.0.13")
	three.ready(t)
	one.end(t)
	three.together(t, 2)
	three.has(t, cluster)
	two.end(t)
	three.together(t, 1)
	three.has(t, cluster)
	three.end(t)

	// The database of a release that has it on a volume is not left behind.
	h.uninstall()
	h.install("")
	require.ErrorContains(t, h.upgrade("1.0.0", values), "database.url: the data of this daemon are on its volume")
	h.uninstall()
}

// startSeveral starts the container of one pod of the Deployment.
func startSeveral(t *testing.T, h *helm, address string) *daemon {
	t.Helper()
	r := newRoot(t, h)
	var volumes []struct {
		Name      string
		Projected struct {
			Sources []struct {
				Secret struct {
					Name  string
					Items []struct{ Key, Path string }
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(h.get("deployment/ecpd", ".spec.template.spec.volumes")), &volumes))
	for _, v := range volumes {
		for _, source := range v.Projected.Sources {
			var content map[string]string
			require.NoError(t, json.Unmarshal([]byte(h.get("secret/"+source.Secret.Name, ".data")), &content))
			for _, item := range source.Secret.Items {
				b, err := base64.StdEncoding.DecodeString(content[item.Key])
				require.NoError(t, err)
				r.write(t, "etc/ecpd/database/"+item.Path, 0o440, string(b))
			}
		}
	}
	return r.start(t, h, "deployment/ecpd", address, func(arg string) string {
		// A container has its addresses for itself.
		if name, port, is := strings.Cut(arg, "listen=:"); is {
			return name + "listen=" + net.JoinHostPort(address, port)
		}
		return arg
	})
}

// together waits until so many daemons share the fleet, and returns their addresses.
func (d *daemon) together(t *testing.T, n int) (addresses []string) {
	t.Helper()
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		status, body := d.call(t, http.MethodGet, "/api/v1/daemons", "")
		var list struct {
			Items []struct {
				Address string
				Shards  int
			}
		}
		require.NoError(t, json.Unmarshal([]byte(body), &list))
		addresses = nil
		even := len(list.Items) == n
		for _, item := range list.Items {
			addresses = append(addresses, item.Address)
			even = even && item.Shards >= 256/n
		}
		return status == http.StatusOK && even, body
	})
	return addresses
}

// secured makes the server want a password, and TLS with certificates on both sides, and the
// Secrets with what is needed. It returns the URL of a database there.
func secured(t *testing.T, h *helm, server *pgtest.Server) string {
	t.Helper()
	admin := server.URL("postgres")
	server.Ask(t, admin, "CREATE ROLE ecpd LOGIN PASSWORD '"+databasePassword+"'")
	server.Ask(t, admin, "CREATE DATABASE ecpd OWNER ecpd")
	hba := filepath.Join(server.Dir, "data", "pg_hba.conf")
	rules, err := os.ReadFile(hba)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(hba, append([]byte("host all ecpd all scram-sha-256\n"), rules...), 0o600))
	server.Ask(t, admin, "SELECT pg_reload_conf()")

	authority, sign := newAuthority(t)
	serverPair, clientPair := sign("127.0.0.1"), sign("ecpd")
	files := t.TempDir()
	write := func(name, content string) string {
		name = filepath.Join(files, name)
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
		return name
	}
	for _, args := range [][]string{
		{"generic", "ecpd-database", "--from-literal=password=" + databasePassword},
		{"generic", "ecpd-database-ca", "--from-file=ca.crt=" + write("ca.crt", authority)},
		{"tls", "ecpd-database-client", "--cert=" + write("c.crt", clientPair[0]),
			"--key=" + write("c.key", clientPair[1])},
	} {
		_, err := h.lab.Kubectl(t.Context(), "", append([]string{"create", "secret", "-n", Namespace}, args...)...)
		require.NoError(t, err)
	}
	pair, err := tls.X509KeyPair([]byte(serverPair[0]), []byte(serverPair[1]))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(authority)))
	u := url.URL{Scheme: "postgres", User: url.User("ecpd"), Path: "ecpd", RawQuery: "sslmode=verify-full",
		Host: terminate(t, fmt.Sprint("127.0.0.1:", server.Port), &tls.Config{Certificates: []tls.Certificate{pair},
			ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13})}
	return u.String()
}

// newAuthority makes a certificate authority. What it returns signs pairs of a certificate
// and its key.
func newAuthority(t *testing.T) (authority string, sign func(name string) [2]string) {
	t.Helper()
	template := func(name string, serial int64) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			BasicConstraintsValid: true}
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := template("authority", 1)
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	require.NoError(t, err)
	serial := int64(1)
	return text("CERTIFICATE", der), func(name string) [2]string {
		t.Helper()
		serial++
		c := template(name, serial)
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = []net.IP{ip}
		}
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		der, err := x509.CreateCertificate(rand.Reader, c, ca, own.Public(), key)
		require.NoError(t, err)
		private, err := x509.MarshalPKCS8PrivateKey(own)
		require.NoError(t, err)
		return [2]string{text("CERTIFICATE", der), text("PRIVATE KEY", private)}
	}
}

// terminate does TLS for the server at an address as PostgreSQL does, and refuses who does
// without. The server itself would want files of its own user. It returns its address.
func terminate(t *testing.T, to string, config *tls.Config) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	serve := func(raw net.Conn) {
		defer raw.Close()
		var request [8]byte // SSLRequest
		if _, err := io.ReadFull(raw, request[:]); err != nil || string(request[4:]) != "\x04\xd2\x16\x2f" {
			return
		}
		if _, err := raw.Write([]byte("S")); err != nil {
			return
		}
		conn := tls.Server(raw, config)
		server, err := new(net.Dialer).DialContext(t.Context(), "tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		go func() {
			defer server.Close()
			_, _ = io.Copy(server, conn) // until one of them ends
		}()
		_, _ = io.Copy(conn, server)
	}
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			go serve(raw)
		}
	}()
	return l.Addr().String()
}
