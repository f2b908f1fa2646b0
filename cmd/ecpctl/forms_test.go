package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/openecp/openecp/internal/processtest"
)

// Reasons why a command is not called in every form.
const (
	printsNothing = "(what it does is told on stderr)"
	printsChange  = "(prints what it made as get does, or the operation)"
	printsPlain   = "(prints what it was given, as it is)"
)

// formsOf says how each command is called that shows something, after the words of its own. A
// text in brackets is the reason why it has no forms.
var formsOf = map[string]string{
	"cluster list": "", "cluster get": "sensors", "cluster explain": "sensors", "cluster nodes": "sensors",
	"cluster stats": "sensors", "cluster alarms": "sensors", "cluster rules": "sensors",
	"cluster connectors": "sensors", "cluster history": "plant", "cluster logs": "sensors",
	"cluster dashboard": "sensors", "cluster setup": "plant",
	"cluster settings drift": "sensors", "cluster create": "more --adopted --dry-run",
	"cluster scale": "sensors 2 --dry-run", "cluster delete": "sensors --dry-run",
	"cluster adopt": "plant --no-wait", "cluster update": "sensors --set description=x --dry-run",

	"catalog certificate list": "", "catalog certificate get": "site", "catalog image list": "",
	"catalog image get": "emqx-ee-5.8.9", "catalog lb-profile list": "", "catalog lb-profile get": "large",
	"catalog license list": "", "catalog license get": "acme", "catalog registry list": "",
	"catalog registry get": "acme", "catalog size list": "", "catalog size get": "1C1G", "catalog target list": "",
	"catalog target get": "default", "org list": "", "org get": "default", "org quota": "default",
	"project list": "", "project get": "default/default", "project quota": "default/default", "user list": "",
	"user get": "ann", "token list": "", "token get": "ci", "pool": "", "audit": "--limit 3", "agent list": "plant",
	"registration list": "plant", "unrecorded list": "", "daemon list": "", "op list": "sensors", "op get": "OPERATION",
	"op wait": printsChange, "overview": "", "roles": "", "whoami": "", "context list": "", "version": "",
	"doctor": "", "events": "--since 0 --limit 5",

	"catalog certificate create": printsChange, "catalog image create": printsChange,
	"catalog lb-profile create": printsChange, "catalog license create": printsChange,
	"catalog registry create": printsChange, "catalog size create": printsChange,
	"catalog target create": printsChange, "org create": printsChange, "project create": printsChange,
	"user create": printsChange, "token create": printsChange, "catalog certificate update": printsChange,
	"catalog image update": printsChange, "catalog lb-profile update": printsChange,
	"catalog license update": printsChange, "catalog registry update": printsChange,
	"catalog size update": printsChange, "catalog target update": printsChange, "org update": printsChange,
	"project update": printsChange, "user update": printsChange, "catalog target accept": printsChange,
	"apply": printsChange, "cluster connections": printsChange, "cluster edit": printsChange,
	"cluster image": printsChange, "cluster network": printsChange, "cluster put-back": printsChange,
	"cluster repair": printsChange, "cluster resize": printsChange, "cluster restart": printsChange,
	"cluster settings put-back": printsChange, "cluster settings take-over": printsChange,
	"cluster start": printsChange, "cluster stop": printsChange, "cluster take-over": printsChange,
	"cluster transfer": printsChange, "op cancel": printsChange, "unrecorded take-over": printsChange,

	"agent remove": printsNothing, "catalog certificate delete": printsNothing,
	"catalog image delete": printsNothing, "catalog lb-profile delete": printsNothing,
	"catalog license delete": printsNothing, "catalog registry delete": printsNothing,
	"catalog size delete": printsNothing, "catalog target delete": printsNothing, "org delete": printsNothing,
	"project delete": printsNothing, "user delete": printsNothing, "token delete": printsNothing,
	"registration revoke": printsNothing, "unrecorded delete": printsNothing, "user unlock": printsNothing,
	"password": printsNothing, "login": printsNothing, "logout": printsNothing, "context delete": printsNothing,
	"context set": printsNothing, "context use": printsNothing, "wait": printsNothing,
	"support-bundle": printsNothing,

	"cluster api": printsPlain, "cluster metrics": printsPlain, "audit export": printsPlain,
	"diff": "(prints lines with + and -)",
}

// texts are the commands that print sentences for people, and no table.
var texts = []string{"cluster explain", "cluster logs", "cluster dashboard", "cluster setup", "cluster adopt",
	"cluster create", "cluster scale", "cluster delete", "cluster update", "cluster stats",
	"overview", "whoami", "version", "doctor"}

// streams are the commands that print one JSON object a line.
var streams = []string{"events", "cluster logs"}

// TestForms calls every command that shows something in every form of -o.
func TestForms(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts a daemon; run without -short")
	}
	s := newSession(t)
	root := newRoot(&app{terminal: terminal{out: &bytes.Buffer{}, err: &bytes.Buffer{}}})
	eachCommand(root, func(c *cobra.Command) {
		if c.Annotations[onlyHolds] != "" {
			return
		}
		name := strings.TrimPrefix(c.CommandPath(), "ecpctl ")
		args, ok := formsOf[name]
		require.True(t, ok, "%s: say in formsOf how it is called, or why it has no forms", name)
		if strings.HasPrefix(args, "(") {
			return
		}
		args = strings.ReplaceAll(args, "OPERATION", s.operation)
		t.Run(name, func(t *testing.T) { s.inEveryForm(t, name, strings.Fields(name+" "+args)) })
	})
}

// inEveryForm calls one command.
func (s session) inEveryForm(t *testing.T, name string, args []string) {
	as := func(form string) string {
		t.Helper()
		code, out, said := s.call(t, append(args, "-o", form)...)
		require.Zero(t, code, "-o %s: %s", form, said)
		return out
	}
	things := readJSON(t, as(formJSON))
	if !slices.Contains(streams, name) {
		require.Len(t, things, 1, "-o json is one value")
	}
	if items, ok := things[0]["items"].([]any); ok && len(things) == 1 {
		things = nil
		for _, one := range items {
			fields, _ := one.(map[string]any)
			things = append(things, fields)
		}
	}
	n := len(things)
	if n == 0 {
		require.Empty(t, as(formYAML)+as(formName)+as("jsonpath={.id}")+as(formTable)+as(formWide))
		return
	}

	var found []map[string]any
	for _, text := range documents([]byte(as(formYAML))) {
		var fields map[string]any
		require.NoError(t, yaml.Unmarshal(text, &fields))
		require.NotEmpty(t, fields)
		found = append(found, fields)
	}
	require.Len(t, found, n, "-o yaml has a document for each")
	require.Equal(t, slices.Sorted(maps.Keys(things[0])), slices.Sorted(maps.Keys(found[0])), "of the same fields")

	rows := lines(as(formName))
	if name == "cluster settings drift" { // whose JSON is the whole answer
		rows = rows[:1]
	}
	require.Len(t, rows, n, "-o name has a line for each")
	require.NotContains(t, rows, "")

	field := ""
	for _, f := range slices.Sorted(maps.Keys(things[0])) {
		switch things[0][f].(type) {
		case string, bool, float64:
			field = f
		}
	}
	rows = lines(as("jsonpath=<{." + field + "}>"))
	require.Len(t, rows, n, "-o jsonpath= has a line for each")
	require.Regexp(t, "^<.*>$", rows[0])
	if s, ok := things[0][field].(string); ok && !slices.Contains(streams, name) && !slices.Contains(changing, field) {
		require.Equal(t, "<"+s+">", rows[0], field)
	}

	table, wide := as(formTable), as(formWide)
	require.False(t, json.Valid([]byte(table)), table)
	require.NotEmpty(t, lines(table))
	require.GreaterOrEqual(t, len(strings.Fields(lines(wide)[0])), len(strings.Fields(lines(table)[0])))
	if !slices.Contains(texts, name) {
		head := strings.Fields(lines(table)[0])[0]
		require.Equal(t, strings.ToUpper(head), head, "a table has heads, of columns or rows")
	}
}

// changing are fields that are others whenever they are asked for.
var changing = []string{"url", "token", "tokenId", "expiresAt", "hash", "lastUsed", "at", "updatedAt"}

// TestUnknownForms calls every command with a form that there is not: it asks no server, and
// names those that there are.
func TestUnknownForms(t *testing.T) {
	root := newRoot(&app{terminal: terminal{out: &bytes.Buffer{}, err: &bytes.Buffer{}}})
	eachCommand(root, func(c *cobra.Command) {
		args := strings.Fields(c.CommandPath())[1:]
		least, _ := arguments(c.Use)
		for range least {
			args = append(args, "x")
		}
		for _, form := range []string{"xml", "JSON", "jsonpath", "go-template={{.id}}"} {
			code, out, said := called(t, append(args, "-o", form)...)
			require.Equal(t, exitUsage, code, c.CommandPath())
			require.Empty(t, out)
			require.Equal(t, fmt.Sprintf("ecpctl: -o is table, wide, json, yaml, name or jsonpath=TEMPLATE, not %q; "+
				"see --help\n", form), said, c.CommandPath())
		}
		code, _, said := called(t, append(args, "-o", "jsonpath={.id")...)
		require.Equal(t, exitUsage, code, c.CommandPath())
		require.Contains(t, said, "-o jsonpath=: ")
	})
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// readJSON reads values one after the other.
func readJSON(t *testing.T, text string) (out []map[string]any) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var fields map[string]any
		err := d.Decode(&fields)
		if errors.Is(err, io.EOF) {
			require.NotEmpty(t, out)
			return out
		}
		require.NoError(t, err, text)
		out = append(out, fields)
	}
}

// session calls ecpctl in this process, and has a daemon with one thing of every kind.
type session struct {
	env       map[string]string
	operation string
}

func (s session) call(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append([]string{"ecpctl"}, args...), terminal{
		in: strings.NewReader(""), out: &stdout, err: &stderr,
	}, func(name string) string { return s.env[name] })
	return code, stdout.String(), stderr.String()
}

func newSession(t *testing.T) session {
	t.Helper()
	dir := t.TempDir()
	file := func(name, content string) string {
		name = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
		return name
	}
	cmd := exec.CommandContext(t.Context(), processtest.Program(t, "./cmd/ecpd"), "serve", "--dev", "--listen",
		"127.0.0.1:0", "--data-dir", filepath.Join(dir, "data"), "--cluster-agent", "http://127.0.0.1:1",
		"--agents-dir", filepath.Dir(file("emqxee-agent-linux-amd64", "\x7fELF: guides tell its sum")),
		"--secrets-key-file", file("keys", "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n"))
	p := processtest.Start(t, cmd)
	s := session{env: map[string]string{
		"HOME": dir, "ECPCTL_CONFIG": filepath.Join(dir, "contexts.yaml"), "LANG": "C.UTF-8",
	}}
	server := p.Line(t, "ecpd ready on ")
	chain, key := selfSigned(t)
	for _, args := range []string{
		"context set dev --server " + server + " --token-file " + filepath.Join(dir, "data", "token"),
		"cluster create sensors --nodes 1 --connections 100", "cluster create plant --adopted",
		"cluster api sensors /api/v5/configs/global_zone -X PUT --data {\"mqtt\":{\"max_packet_size\":\"3MB\"}}",
		"catalog certificate create site --secret chain=" + file("chain", chain) + " --secret key=" + file("key", key),
		"catalog lb-profile create large --set minConnections=10000 --set annotations.a/b=c",
		"catalog license create acme --set format=v5 --secret content=" + file("license", "evaluation"),
		"catalog registry create acme --set host=r.acme.com --set user=u --secret password=" + file("secret", "s3cret"),
		"user create ann --role user:default/default --secret password=" + file("password", "a long password"),
		"token create ci --role user:default/default", "cluster setup plant",
	} {
		code, _, said := s.call(t, strings.Fields(args)...)
		require.Zero(t, code, "%s: %s", args, said)
	}
	_, out, _ := s.call(t, "op", "list", "sensors", "-o", "name", "--limit", "1")
	s.operation = strings.TrimSpace(out)
	return s
}

// selfSigned makes a certificate and its key.
func selfSigned(t *testing.T) (chain, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mqtt.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}
