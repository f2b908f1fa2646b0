package catalog

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// key is a key with terms; its signature is none.
func key(kind, customer, start, days, limit string, more ...string) ecp.Secret {
	lines := []string{"220111", kind, customer, "Example", "a@example.org", "default", start, days, limit}
	lines = append(lines, more...)
	return ecp.Secret(base64.StdEncoding.EncodeToString([]byte(strings.Join(lines, "\n")+"\n")) + ".c2ln")
}

// What has the form of no license is refused before EMQX sees it.
func TestCheckLicense(t *testing.T) {
	official := key("1", "2", "20260101", "365", "1000")
	file := ecp.Secret("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
	for _, c := range []struct {
		format  ecp.LicenseFormat
		content ecp.Secret
		says    string // empty means that it may be one
	}{
		{ecp.LicenseV5, official, ""},
		{ecp.LicenseV5, official + "\n", ""},
		{ecp.LicenseV5, "default", ""},
		{ecp.LicenseV5, "evaluation", ""},
		{ecp.LicenseV5, "file:///opt/emqx/license", ""},
		{ecp.LicenseV5, "emqxsim-license.e30", ""},
		{ecp.LicenseV5, key("later", "2", "20260101", "365", "1000"), ""},
		{ecp.LicenseV5, "nonsense", "is no key"},
		{ecp.LicenseV5, "Default", "is no key"},
		{ecp.LicenseV5, "non.sense!", "is no key"},
		{ecp.LicenseV5, "nonsense.nonsense", "is no key"},
		{ecp.LicenseV5, official[:40], "is no key"},
		{ecp.LicenseV5, official[:40] + ".", "is no key"},
		{ecp.LicenseV5, "." + official, "is no key"},
		{ecp.LicenseV5, file, "spaces or line breaks"},
		{ecp.LicenseV4, file, ""},
		{ecp.LicenseV4, official, "is no license file"},
		{ecp.LicenseV4, "default", "is no license file"},
		{ecp.LicenseV4, file[:40], "is no license file"},
		{ecp.LicenseV4, " ", "is missing"},
	} {
		err := CheckLicense(c.format, c.content)
		if c.says == "" {
			require.NoError(t, err, c.content)
			continue
		}
		require.ErrorContains(t, err, c.says, string(c.content))
		if len(c.content) > 10 {
			require.NotContains(t, err.Error(), string(c.content), "no secret is shown")
		}
	}
}

func TestLicenseRefusal(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	official := key("1", "2", "20260101", "365", "1000")
	community := key("2", "11", "20250302", "1460", "0")
	for _, c := range []struct {
		name    string
		content ecp.Secret
		version string
		nodes   int
		says    string // empty means that nothing hinders
	}{
		{"official", official, "6.2.2", 3, ""},
		{"official, but to 4.4", official, "4.4.24", 3, ""},
		{"not known here", "emqxsim-license.e30", "6.2.2", 3, ""},
		{"community, one node", community, "6.2.2", 1, ""},
		{"community, several nodes", community, "6.2.2", 2, "for one node"},
		{"community, several nodes, 5.9", community, "5.9.0", 3, "for one node"},
		{"the built-in one, before it was one", "default", "5.8.9", 3, ""},
		{"the built-in one", "default", "5.10.4", 3, "for one node"},
		{"the built-in one, one node", "default", "6.0.1", 1, ""},
		{"evaluation", "evaluation", "6.2.2", 3, ""},
		{"evaluation, 5.8", "evaluation", "5.8.9", 1, "from 5.9.0 on"},
		{"messages per second", key("1", "2", "20260101", "365", "1000", "5000"), "6.0.1", 3, ""},
		{"messages per second, 5.10", key("1", "2", "20260101", "365", "1000", "5000"), "5.10.4", 3, "from 6.0.0 on"},
		{"no limit of its own", key("1", "3", "20260101", "365", "0"), "6.2.2", 3, ""},
		{"no limit of its own, 5.8", key("1", "3", "20260101", "365", "0"), "5.8.9", 3, "no connections"},
		{"no limit", key("1", "2", "20260101", "365", "0"), "6.2.2", 3, "no connections"},
		{"trial on its last day", key("0", "10", "20260101", "151", "25"), "6.2.2", 3, ""},
		{"trial, a day later", key("0", "10", "20260101", "150", "25"), "6.2.2", 3, "no client"},
		{"official, long expired", key("1", "2", "20220101", "365", "1000"), "6.2.2", 3, ""},
		{"type 0, expired for 15 days", key("1", "0", "20260101", "136", "1000"), "6.2.2", 3, ""},
		{"type 0, expired for 16 days", key("1", "0", "20260101", "135", "1000"), "6.2.2", 3, "no client"},
		{"type 0, expired for 16 days, 6.1", key("1", "0", "20260101", "135", "1000"), "6.1.4", 3, ""},
		{"type 0, expired for 91 days", key("1", "0", "20260101", "60", "1000"), "5.10.4", 3, "no client"},
	} {
		got := LicenseRefusal(c.content, c.version, c.nodes, now)
		require.Equal(t, c.says == "", got == "", "%s: %s", c.name, got)
		require.Contains(t, got, c.says, c.name)
	}
}
