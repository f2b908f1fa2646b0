package k8sprovisioner

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func inputOf(t testing.TB, d ecp.Desired) input {
	t.Helper()
	in, err := newInput(d, testConfig())
	require.NoError(t, err)
	return in
}

func TestLicenseFile(t *testing.T) {
	const file = "-----BEGIN CERTIFICATE-----\nZmFrZQ==\n-----END CERTIFICATE-----\n"
	for _, c := range []struct {
		version string
		license ecp.Secret
		want    string // "" = no Secret
	}{
		{"4.4.24", "", ""},
		{"5.8.9", "", ""},
		{"5.8.9", " \n", ""},
		{"4.4.24", file, file},
		{"5.8.9", "ZmFrZQ==.ZmFrZQ==\n", "ZmFrZQ==.ZmFrZQ=="},
	} {
		d := desired(c.version)
		d.License = c.license
		require.Equal(t, c.want, string(licenseData(inputOf(t, d))[keyLicense]), "%s %q", c.version, string(c.license))
		require.Equal(t, c.want != "", licenseRow.wanted(inputOf(t, d)))
		for _, o := range rendered(t, d) {
			require.Equal(t, c.want != "" && (o.kind == kindStatefulSet || o.kind == kindSecret ||
				o.kind == kindConfigMap),
				strings.Contains(string(o.json()), "license"), "%v of %s", o, c.version)
		}
	}
}

func TestPullCredentials(t *testing.T) {
	for host, key := range map[string]string{
		"registry.example":      "registry.example",
		"registry.example:5000": "registry.example:5000",
		"docker.io":             "https://index.docker.io/v1/",
	} {
		d := desired("5.8.9")
		d.Pull = ecp.PullCredentials{Host: host, User: "robot", Password: `p"ä:ss`}
		var got struct {
			Auths map[string]struct{ Username, Password, Auth string }
		}
		require.NoError(t, json.Unmarshal(pullData(inputOf(t, d))[".dockerconfigjson"], &got))
		require.Len(t, got.Auths, 1)
		a := got.Auths[key]
		require.Equal(t, []string{"robot", `p"ä:ss`}, []string{a.Username, a.Password})
		b, err := base64.StdEncoding.DecodeString(a.Auth)
		require.NoError(t, err)
		require.Equal(t, `robot:p"ä:ss`, string(b))
	}
	require.False(t, pullRow.wanted(inputOf(t, desired("5.8.9"))))
}

// TestSecretHash: it changes with the content and with the key, so that it
// cannot be made by who does not know the key.
func TestSecretHash(t *testing.T) {
	in := inputOf(t, secretive(desired("5.8.9")))
	seen := map[string]string{}
	note := func(what string, objects map[string]object) {
		for suffix, o := range objects {
			require.Regexp(t, "^[0-9a-f]{16}$", o.hash())
			require.Empty(t, seen[o.hash()], "%s: the hash of %s is that of %s", what, o, seen[o.hash()])
			seen[o.hash()] = what + suffix
		}
	}
	before := secretsOf(t, in, "cookie-1")
	require.Equal(t, before, secretsOf(t, in, "cookie-1"))
	note("first", before)
	note("other key", secretsOf(t, in, "cookie-2"))
	in.License, in.Pull.Password = "other", "other"
	note("other content", secretsOf(t, in, "cookie-1"))
	unkeyed, err := newObject(&corev1.Secret{
		ObjectMeta: meta(in, pullRow.name(in.ID)), Type: pullRow.kind, Data: pullRow.data(in)})
	require.NoError(t, err)
	require.Empty(t, seen[unkeyed.hash()])
}

// TestSecretsStayInSecrets: no other object says what is in them, in any form.
func TestSecretsStayInSecrets(t *testing.T) {
	for _, version := range []string{"4.4.24", "5.8.9"} {
		d := secretive(desired(version))
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", d, d, d), "obviously-fake")
		for _, o := range rendered(t, d) {
			if o.kind == kindSecret {
				annotations := o.metadata()["annotations"].(map[string]any)
				require.Len(t, annotations, 1, "only the hash")
				continue
			}
			require.NotContains(t, string(o.json()), "obviously-fake", "%v", o)
			require.NotContains(t, string(o.json()),
				base64.StdEncoding.EncodeToString([]byte("obviously-fake-licence")), "%v", o)
		}
	}
}

// TestWithoutSecretsNothingChanges: a cluster that has neither is rendered
// without a word of them. That it is byte for byte as it was is TestGolden's.
func TestWithoutSecretsNothingChanges(t *testing.T) {
	for _, version := range []string{"4.4.19", "4.4.24", "5.8.9"} {
		for _, o := range rendered(t, desired(version)) {
			require.NotRegexp(t, "-pull|licen[cs]e|imagePull(Secrets)", string(o.json()), "%v", o)
		}
	}
}
