package ecp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeyRing(t *testing.T) {
	old, err := NewKeyRing(aKey("k1", 1))
	require.NoError(t, err)
	sealed, err := old.Seal([]byte("hush"), "registry/a/password")
	require.NoError(t, err)
	again, err := old.Seal([]byte("hush"), "registry/a/password")
	require.NoError(t, err)
	require.NotEqual(t, sealed, again, "each has a nonce of its own")
	require.NotContains(t, sealed, "hush")

	both, err := NewKeyRing(aKey("k2", 2), aKey("k1", 1))
	require.NoError(t, err)
	plain, err := both.Open(sealed, "registry/a/password")
	require.NoError(t, err)
	require.Equal(t, "hush", string(plain))
	require.False(t, both.Current(sealed))
	newer, err := both.Seal(plain, "registry/a/password")
	require.NoError(t, err)
	require.True(t, both.Current(newer))

	for name, c := range map[string]struct {
		sealed, binding string
		code            Code
		says            string
	}{
		"another record": {sealed, "registry/b/password", CodeInternal, "was changed from outside"},
		"missing key": {
			newer, "registry/a/password", CodeUnavailable,
			`sealed with the key "k2", which is not configured`,
		},
		"renamed key": {
			strings.Replace(newer, "k2", "k1", 1), "registry/a/password", CodeInternal,
			"another key of the same id",
		},
		"cut":               {sealed[:20], "registry/a/password", CodeInternal, "was changed"},
		"of something else": {"hush", "registry/a/password", CodeInternal, "not sealed by a key ring"},
		"empty":             {"", "registry/a/password", CodeInternal, "not sealed by a key ring"},
	} {
		_, err := old.Open(c.sealed, c.binding)
		require.Equal(t, c.code, CodeOf(err), name)
		require.ErrorContains(t, err, c.says, name)
	}
	for i := len("ecp1.k1."); i < len(sealed); i++ { // the last character has bits that stand for nothing
		for _, other := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
			if changed := sealed[:i] + string(other) + sealed[i+1:]; changed != sealed {
				_, err := old.Open(changed, "registry/a/password")
				require.Equal(t, CodeInternal, CodeOf(err), "%s opens, it was sealed as %s", changed, sealed)
			}
		}
	}
}

func TestBadKeys(t *testing.T) {
	for _, keys := range [][]Key{
		nil, {{"", make([]byte, 32)}}, {{"a.b", make([]byte, 32)}}, {{"a", make([]byte, 31)}},
		{aKey("a", 1), aKey("a", 2)},
	} {
		_, err := NewKeyRing(keys...)
		require.Error(t, err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	var b strings.Builder
	s := struct{ S Secret }{"hush"}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "secret", s.S, "in", s)
	j, err := json.Marshal(s)
	require.NoError(t, err)
	require.NotContains(t, b.String()+string(j)+fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s.S, s.S), "hush")
}

func aKey(id string, n byte) Key { return Key{ID: id, Secret: bytes.Repeat([]byte{n}, 32)} }
