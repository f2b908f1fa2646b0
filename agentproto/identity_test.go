package agentproto

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fullIdentity has every field set.
func fullIdentity(t testing.TB) Identity {
	t.Helper()
	id, _ := newTestIdentity(t)
	ca := newTestCA(t, "Test CA")
	id.Cluster, id.LastServerTime = "orders", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	id.Authorities, id.CASHA256 = [][]byte{ca.cert.Raw}, []string{Fingerprint(ca.cert)}
	return id
}

// secretsOf returns the forms in which a key could leak.
func secretsOf(key ed25519.PrivateKey) []string {
	return []string{
		string(key.Seed()), hex.EncodeToString(key.Seed()), base64.StdEncoding.EncodeToString(key.Seed()),
		base64.StdEncoding.EncodeToString(key), strings.Trim(fmt.Sprintf("%d", key.Seed()), "[]"),
		strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", key.Seed()), "[]byte{"), "}"),
	}
}

// assertNoSecret checks every way in which a value is printed or encoded.
func assertNoSecret(t *testing.T, v any, secrets ...string) {
	t.Helper()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", v)
		fmt.Fprintf(&out, verb+"\n", struct{ V any }{v})
	}
	if raw, err := json.Marshal(v); err == nil {
		out.Write(raw)
	}
	if raw, err := xml.Marshal(v); err == nil {
		out.Write(raw)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
	for _, s := range secrets {
		assert.NotContains(t, out.String(), s)
	}
}

func TestIdentityPrintsWithoutKey(t *testing.T) {
	id := fullIdentity(t)
	for name, v := range map[string]any{
		"value": id, "pointer": &id, "slice": []Identity{id}, "in a struct": struct{ Identity Identity }{id},
		"in a map": map[string]Identity{"a": id},
	} {
		t.Run(name, func(t *testing.T) { assertNoSecret(t, v, secretsOf(id.Key)...) })
	}
	assert.Contains(t, fmt.Sprint(id), id.Agent)
}

func TestIdentityFile(t *testing.T) {
	id := fullIdentity(t)
	path := filepath.Join(t.TempDir(), "new", "identity.json")
	_, err := ReadIdentity(path)
	require.ErrorIs(t, err, fs.ErrNotExist, "not registered")
	require.NoError(t, WriteIdentity(path, id))
	got, err := ReadIdentity(path)
	require.NoError(t, err)
	assert.True(t, id.Key.Equal(got.Key))
	assert.True(t, id.LastServerTime.Equal(got.LastServerTime))
	got.LastServerTime = id.LastServerTime
	assert.Equal(t, id, got)

	assertMode(t, path, 0o600)
	assertMode(t, filepath.Dir(path), 0o700|fs.ModeDir)

	id.Cluster = "other"
	require.NoError(t, WriteIdentity(path, id), "written over the one before")
	got, err = ReadIdentity(path)
	require.NoError(t, err)
	assert.Equal(t, "other", got.Cluster)
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, files, 1, "nothing is left beside it")
}

func assertMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, want, info.Mode())
}

func TestIdentityOthersCanReadIsMadePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.json")
	require.NoError(t, WriteIdentity(path, fullIdentity(t)))
	require.NoError(t, os.Chmod(path, 0o664))
	_, err := ReadIdentity(path)
	require.NoError(t, err)
	assertMode(t, path, 0o600)
}

func TestDamagedIdentities(t *testing.T) {
	id := fullIdentity(t)
	good, err := encodeIdentity(id)
	require.NoError(t, err)
	change := func(field string, value any) []byte {
		var m map[string]any
		require.NoError(t, json.Unmarshal(good, &m))
		m[field] = value
		raw, err := json.Marshal(m)
		require.NoError(t, err)
		return raw
	}
	path := filepath.Join(t.TempDir(), "identity.json")
	tests := map[string]struct {
		raw  []byte
		want string
	}{
		"empty":             {nil, "damaged"},
		"cut":               {good[:len(good)/2], "damaged"},
		"not JSON":          {[]byte("hello"), "damaged"},
		"newer":             {change("version", 2), "newer program"},
		"no version":        {change("version", 0), "damaged"},
		"short key":         {change("key", "AAAA"), "no key"},
		"no agent":          {change("agent", ""), "agent id"},
		"path as agent":     {change("agent", "../x"), "agent id"},
		"plain http":        {change("server", "http://ecp.example.com"), "in the clear"},
		"no server's name":  {change("serverName", ""), "no name of a server"},
		"broken authority":  {change("authorities", []string{"AAAA"}), "certificate 1"},
		"broken pin":        {change("caSha256", []string{"xyz"}), "64 hex digits"},
		"far too large":     {append(bytes.Repeat([]byte(" "), maxIdentity), good...), "larger than"},
		"too many pins":     {change("caSha256", make([]string, maxAuthorities+1)), "more than"},
		"year out of range": {change("lastServerTime", "0000-01-01T00:00:00Z"), "time"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, tt.raw, 0o600))
			_, err := ReadIdentity(path)
			require.ErrorContains(t, err, tt.want)
			for _, s := range secretsOf(id.Key) {
				assert.NotContains(t, err.Error(), s)
			}
		})
	}
	_, err = ReadIdentity(t.TempDir())
	require.ErrorContains(t, err, "not a file")
	require.ErrorContains(t, WriteIdentity(path, Identity{}), "no valid agent id")
}

func TestUpdateIdentity(t *testing.T) {
	id := fullIdentity(t)
	path := filepath.Join(t.TempDir(), "identity.json")
	require.ErrorIs(t, UpdateIdentity(path, id), fs.ErrNotExist, "unregistered in the meantime: nothing is written")
	require.NoError(t, WriteIdentity(path, id))
	id.LastServerTime = id.LastServerTime.Add(time.Hour)
	require.NoError(t, UpdateIdentity(path, id))
	got, err := ReadIdentity(path)
	require.NoError(t, err)
	assert.True(t, got.LastServerTime.Equal(id.LastServerTime))

	anew := fullIdentity(t)
	anew.Agent = "agent-2"
	require.NoError(t, WriteIdentity(path, anew))
	require.ErrorIs(t, UpdateIdentity(path, id), ErrIdentityReplaced)
	got, err = ReadIdentity(path)
	require.NoError(t, err)
	assert.Equal(t, "agent-2", got.Agent)
}

func TestFingerprints(t *testing.T) {
	ca := newTestCA(t, "Test CA")
	plain := Fingerprint(ca.cert)
	var colons []string
	for i := 0; i < len(plain); i += 2 {
		colons = append(colons, strings.ToUpper(plain[i:i+2]))
	}
	for _, s := range []string{plain, strings.ToUpper(plain), " " + plain + "\n", "sha256:" + plain,
		strings.Join(colons, ":"), "sha256 Fingerprint=" + strings.Join(colons, ":")} {
		got, err := parseFingerprints([]string{s})
		require.NoError(t, err, s)
		assert.Equal(t, []string{plain}, got)
	}
	for _, s := range []string{"", "abc", plain[1:], plain + "00", strings.Replace(plain, plain[:1], "g", 1),
		"sha1:" + plain} {
		_, err := parseFingerprints([]string{s})
		_, ok := errors.AsType[*Failure](err)
		require.True(t, ok, s)
	}
}

func FuzzIdentity(f *testing.F) {
	good, err := encodeIdentity(fullIdentity(f))
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"version":1,"agent":"a","key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","server":"https://h","serverName":"h"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, err := decodeIdentity(raw)
		if err != nil {
			var file identityFile
			if json.Unmarshal(raw, &file) == nil && len(file.Key) >= 16 &&
				strings.Contains(err.Error(), base64.StdEncoding.EncodeToString(file.Key)) {
				t.Fatal("the error has the key in it")
			}
			return
		}
		again, err := encodeIdentity(id)
		if err != nil {
			t.Fatalf("read and cannot be written: %v", err)
		}
		back, err := decodeIdentity(again)
		if err != nil || back.Agent != id.Agent || !back.Key.Equal(id.Key) || back.Server != id.Server ||
			back.ServerName != id.ServerName || back.Cluster != id.Cluster ||
			!back.LastServerTime.Equal(id.LastServerTime) {
			t.Fatalf("%v became %v (%v)", id, back, err)
		}
	})
}
