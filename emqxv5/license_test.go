package emqxv5_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

var comesWith = ecp.BrokerLicense{
	Customer: "Evaluation", Email: "contact@emqx.io", Type: "trial", CustomerType: 10, Limit: 25, BuiltIn: true,
	From: time.Date(2024, 4, 18, 0, 0, 0, 0, time.UTC), Until: time.Date(2029, 4, 17, 0, 0, 0, 0, time.UTC),
}

const official = `{"customer":"ACME \"Ltd\"","email":"ops@acme.example","type":"official","customer_type":3,` +
	`"expiry":true,"expiry_at":"2026-01-31","max_connections":100,"max_sessions":50}`

func TestLicense(t *testing.T) {
	for _, c := range []struct {
		name string
		h    http.Handler
		want ecp.BrokerLicense
	}{
		{"the one EMQX 5.8 comes with", replay(t, "one"), comesWith},
		{"the one EMQX 5.9 comes with", emqxtest.Body(`{"customer":"EMQX Enterprise Community","type":"community",` +
			`"customer_type":11,"max_sessions":10000000}`),
			ecp.BrokerLicense{
				Customer: "EMQX Enterprise Community", Type: "community", CustomerType: 11, Limit: 10_000_000,
				BuiltIn: true, SingleNode: true,
			}},
		{"one that was bought", emqxtest.Body(official),
			ecp.BrokerLicense{
				Customer: `ACME "Ltd"`, Email: "ops@acme.example", Type: "official", CustomerType: 3, Limit: 50,
				Until: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), Expired: true,
			}},
		{"one of which nothing is told", emqxtest.Body(`{"max_sessions":"infinity"}`),
			ecp.BrokerLicense{CustomerType: -1}},
	} {
		got, err := open[ecp.LicenseManager](t, c.h).License(t.Context())
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got, c.name)
	}
	_, err := open[ecp.LicenseManager](t, emqxtest.Paths{
		nodes:   version("5.8.9", "Opensource"),
		license: emqxtest.Refusal(404, `{"code":"NOT_FOUND","message":"Request Path Not Found"}`),
	}.Before(http.NotFoundHandler())).License(t.Context())
	refusedAs(t, err, ecp.CodeUnsupported, "", "licenses: found open-source EMQX 5.8.9; needed EMQX Enterprise")
	_, err = open[ecp.LicenseManager](t, emqxtest.Paths{
		nodes:   version("5.8.9", "Enterprise"),
		license: emqxtest.Refusal(404, `{"code":"NOT_FOUND","message":"Request Path Not Found"}`),
	}.Before(http.NotFoundHandler())).License(t.Context())
	refusedAs(t, err, ecp.CodeUnavailable, "NOT_FOUND", "still starting")
}

// TestSetLicense: what may be replaced by whom, and what the broker is sent.
func TestSetLicense(t *testing.T) {
	const key = "MjIwMTEx.MEUCIQ-7d21"
	loaded := emqxtest.Body(official)
	post := "POST " + license
	for _, c := range []struct {
		name   string
		now    http.Handler
		change ecp.LicenseChange
		post   http.Handler
		code   ecp.Code
		says   string
		sent   int
	}{
		{"in place of the one EMQX comes with", replay(t, "one"), ecp.LicenseChange{Key: key}, loaded, "", "", 1},
		{"in place of somebody's", loaded, ecp.LicenseChange{Key: key}, loaded, ecp.CodeConflict,
			`a license of "ACME \"Ltd\""`, 0},
		{"in place of somebody's, wittingly", loaded, ecp.LicenseChange{Key: key, Replace: true}, loaded, "", "", 1},
		{"back to the one EMQX comes with", loaded, ecp.LicenseChange{Key: "default", Replace: true},
			answer(t, "30-license-key-default"), "", "", 1},
		{"none", replay(t, "one"), ecp.LicenseChange{}, loaded, ecp.CodeInvalid, "must not be empty", 0},
		{"a bad one", replay(t, "one"), ecp.LicenseChange{Key: key}, answer(t, "30-license-key-bad"), ecp.CodeInvalid,
			"check that the key is whole", 1},
		{"one for one node", replay(t, "one"), ecp.LicenseChange{Key: "default"},
			emqxtest.Refusal(400, `{"code":"BAD_REQUEST","message":"SINGLE_NODE_LICENSE"}`), ecp.CodeInvalid,
			"give one for several nodes", 1},
		{"one that the broker sends back", replay(t, "one"), ecp.LicenseChange{Key: key},
			emqxtest.Refusal(400, `{"code":"BAD_REQUEST","message":"Bad license key `+key+`"}`), ecp.CodeInvalid,
			"[redacted]",
			1},
		{"by a viewer", replay(t, "one"), ecp.LicenseChange{Key: key}, answer(t, "35-apikey-viewer-post-403"),
			ecp.CodeDenied, "role administrator", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests emqxtest.Requests
			b := open[ecp.LicenseManager](t, requests.Record(emqxtest.Calls{post: c.post}.Before(c.now)))
			got, err := b.SetLicense(t.Context(), c.change)
			refusedAs(t, err, c.code, "")
			if err != nil {
				require.ErrorContains(t, err, c.says)
				require.NotContains(t, fmt.Sprintf("%v %+v", err, unwrapAll(err)), "7d21")
			} else {
				require.NotZero(t, got)
			}
			require.Len(t, requests.Changes(), c.sent)
			for _, sent := range requests.Changes() {
				require.Equal(t, fmt.Sprintf(`POST /api/v5/license {"key":%q}`, c.change.Key), sent)
			}
		})
	}
}

func unwrapAll(err error) (all []string) {
	for err != nil {
		all = append(all, err.Error())
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return all
		}
		err = u.Unwrap()
	}
	return all
}

func TestLicenseSettings(t *testing.T) {
	got, err := open[ecp.LicenseManager](t, replay(t, "one")).LicenseSettings(t.Context())
	require.NoError(t, err)
	require.Equal(t, ecp.LicenseSettings{HighWatermark: 0.8, LowWatermark: 0.75}, got)
	for _, c := range []struct {
		set  ecp.LicenseSettings
		sent string
		code ecp.Code
	}{
		{ecp.LicenseSettings{HighWatermark: 0.9, LowWatermark: 0.7},
			`PUT /api/v5/license/setting {"connection_high_watermark":"90%","connection_low_watermark":"70%"}`, ""},
		{ecp.LicenseSettings{HighWatermark: 0.5555},
			`PUT /api/v5/license/setting {"connection_high_watermark":"55.55%"}`,
			""},
		{ecp.LicenseSettings{}, "", ""},
		{ecp.LicenseSettings{LowWatermark: 1.01}, "", ecp.CodeInvalid},
		{ecp.LicenseSettings{HighWatermark: -0.1}, "", ecp.CodeInvalid},
		{ecp.LicenseSettings{HighWatermark: 0.7, LowWatermark: 0.7}, "", ecp.CodeInvalid},
	} {
		var requests emqxtest.Requests
		b := open[ecp.LicenseManager](t, requests.Record(emqxtest.Calls{"PUT " +
			setting: answer(t, "30-license-setting-put")}.Before(replay(t, "one"))))
		got, err := b.SetLicenseSettings(t.Context(), c.set)
		require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
		switch {
		case err != nil:
		case c.sent == "":
			require.Equal(t, ecp.LicenseSettings{HighWatermark: 0.8, LowWatermark: 0.75}, got)
		default:
			require.Equal(t, ecp.LicenseSettings{HighWatermark: 0.9, LowWatermark: 0.7}, got)
			require.Equal(t, []string{c.sent}, requests.Changes())
		}
	}
	_, err = open[ecp.LicenseManager](t, answer(t, "30-license-setting-put-bad")).SetLicenseSettings(t.Context(),
		ecp.LicenseSettings{LowWatermark: 0.95})
	refusedAs(t, err, ecp.CodeInvalid, "BAD_REQUEST", "low watermark has to be below")
}
