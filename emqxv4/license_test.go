package emqxv4_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const (
	licenseInfo = "/api/v4/license_info"
	upload      = "/api/v4/license/upload"
	licenseText = "-----BEGIN CERTIFICATE-----\nMIIENzCCAx+gAwIBAgIDdMvVMA0GCSqG\n-----END CERTIFICATE-----\n"
)

// evaluationInfo is /license_info for the license EMQX comes with.
var (
	evaluationInfo = emqxtest.Body(`{"code":0,"data":{"vendor":"EMQ","version":"4.4.24","type":"Trial",` +
		`"customer_type":10,"customer":"EMQ X Evaluation","email":"contact@emqx.io",
		"max_connections":10,"issued_at":"2020-06-20 03:02:52","expiry_at":"2049-01-01 03:02:52","expiry":false}}`)
	ownInfo = emqxtest.Body(`{"code":0,"data":{"type":"official","customer_type":"2","customer":"ACME",` +
		`"max_connections":5000,"original_max_connections":9000,"issued_at":"2024-01-31","expiry_at":"2024-12-31",` +
		`"expiry":"true"}}`)
)

func TestLicense(t *testing.T) {
	until := time.Date(2027, 1, 31, 23, 59, 59, 0, time.UTC)
	for _, c := range []struct {
		name string
		info http.Handler
		old  http.Handler // /license; nil = that of the site
		want ecp.BrokerLicense
		code ecp.Code
	}{
		{name: "evaluation", info: evaluationInfo, want: ecp.BrokerLicense{Customer: "EMQ X Evaluation",
			Email: "contact@emqx.io",
			Type:  "trial", CustomerType: 10, Limit: 10,
			From: time.Date(2020, 6, 20, 3, 2, 52, 0, time.UTC), Until: time.Date(2049, 1, 1, 3, 2, 52, 0, time.UTC),
			BuiltIn: true}},
		{name: "somebody's, expired", info: ownInfo, want: ecp.BrokerLicense{Customer: "ACME", Type: "official",
			CustomerType: 2,
			Limit:        5000,
			From:         time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC),
			Until:        time.Date(2024, 12, 31, 0, 0, 0, 0, time.UTC),
			Expired:      true}},
		{name: "the older call only", info: nil, want: ecp.BrokerLicense{CustomerType: -1, Limit: 1000, Until: until}},
		{name: "one completes the other", info: emqxtest.Body(`{"code":0,"data":{"customer":"ACME"}}`),
			want: ecp.BrokerLicense{Customer: "ACME", CustomerType: -1, Limit: 1000, Until: until}},
		{name: "past, and not said to be", info: unknown,
			old: emqxtest.Body(`{"code":0,"data":{"expiry_at":"2001-01-01 00:00:00"}}`),
			want: ecp.BrokerLicense{
				CustomerType: -1, Until: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), Expired: true,
			}},
		{name: "nothing", info: emqxtest.Body(`{"code":0,"data":null}`), old: emqxtest.Status(500),
			code: ecp.CodeUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site{version: "4.4.24", enterprise: true, paths: emqxtest.Paths{licenseInfo: c.info, license: c.old}}
			l, err := brokerOf[ecp.LicenseManager](t, s).License(t.Context())
			refusedWith(t, err, c.code)
			if err == nil {
				require.Equal(t, c.want, l)
			}
		})
	}
	_, err := brokerOf[ecp.LicenseManager](t, site{version: "4.4.24"}).License(t.Context())
	refusedWith(t, err, ecp.CodeUnsupported, "found open-source EMQX 4.4.24", "needed EMQX Enterprise")
}

func TestSetLicense(t *testing.T) {
	for _, c := range []struct {
		name   string
		change ecp.LicenseChange
		info   http.Handler
		answer http.Handler
		code   ecp.Code
		says   string
		posted bool
	}{
		{name: "in place of the evaluation", change: ecp.LicenseChange{Key: licenseText}, info: evaluationInfo,
			answer: done,
			posted: true},
		{name: "in place of somebody's", change: ecp.LicenseChange{Key: licenseText}, info: ownInfo, answer: done,
			code: ecp.CodeConflict, says: "cannot be read back"},
		{name: "in place of one that is not told", change: ecp.LicenseChange{Key: licenseText}, answer: done,
			code: ecp.CodeConflict},
		{name: "in place of somebody's, as asked", change: ecp.LicenseChange{Key: licenseText, Replace: true},
			info:   ownInfo,
			answer: done, posted: true},
		{name: "refused", change: ecp.LicenseChange{Key: licenseText, Replace: true},
			answer: emqxtest.Body(`{"code":400,"message":"invalid_license"}`), code: ecp.CodeInvalid,
			says:   "invalid_license",
			posted: true},
		{name: "refused without a code", change: ecp.LicenseChange{Key: licenseText, Replace: true},
			answer: emqxtest.Body(`{"message":"bad license"}`), code: ecp.CodeInvalid, says: "keeps the one it has",
			posted: true},
		{name: "quoted", change: ecp.LicenseChange{Key: licenseText, Replace: true},
			answer: emqxtest.Body(`{"code":400,"message":"bad line MIIENzCCAx+gAwIBAgIDdMvVMA0GCSqG"}`),
			code:   ecp.CodeInvalid,
			says:   "bad line [redacted]", posted: true},
		{name: "a node is away", change: ecp.LicenseChange{Key: licenseText, Replace: true},
			answer: emqxtest.Body(`{"code":500,"message":"nodedown"}`), code: ecp.CodeUnavailable, posted: true},
		{name: "nothing", change: ecp.LicenseChange{Key: " \n"}, code: ecp.CodeInvalid, says: "license file"},
		{name: "the built-in one", change: ecp.LicenseChange{Key: "default"}, code: ecp.CodeInvalid, says: "EMQX 5"},
		{name: "no such call", change: ecp.LicenseChange{Key: licenseText, Replace: true}, code: ecp.CodeUnsupported,
			posted: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var j emqxtest.Requests
			h := j.Record(site{version: "4.4.24", enterprise: true, paths: emqxtest.Paths{
				licenseInfo: c.info, upload: c.answer,
			}})
			l, err := brokerOf[ecp.LicenseManager](t, h).SetLicense(t.Context(), c.change)
			refusedWith(t, err, c.code, c.says)
			if err != nil {
				for e := err; e != nil; e = unwrapped(e) {
					require.NotContains(t, e.Error(), "MIIENzCC")
				}
			} else {
				require.NotZero(t, l.Limit)
			}
			if !c.posted {
				require.Empty(t, j.Changes())
				return
			}
			require.Len(t, j.Changes(), 1)
			require.Contains(t, j.Changes()[0], `{"license":"-----BEGIN CERTIFICATE-----\nMIIEN`)
		})
	}
}

func unwrapped(err error) error {
	u, ok := err.(interface{ Unwrap() error })
	if !ok {
		return nil
	}
	return u.Unwrap()
}

func TestLicenseSettings(t *testing.T) {
	b := brokerOf[ecp.LicenseManager](t, site{version: "4.4.24", enterprise: true})
	_, err := b.LicenseSettings(t.Context())
	refusedWith(t, err, ecp.CodeUnsupported, "license.connection_high_watermark_alarm")
	_, err = b.SetLicenseSettings(t.Context(), ecp.LicenseSettings{HighWatermark: 0.9})
	refusedWith(t, err, ecp.CodeUnsupported, "EMQX_LICENSE__CONNECTION_LOW_WATERMARK_ALARM")
}

// TestConnectionLimit: a limit is set only where somebody has said how, and the
// broker lists the call; and it is set only if it is in force then.
func TestConnectionLimit(t *testing.T) {
	const dynamic = "/api/v4/dynamic_license"
	lists := func(method, path string) emqxtest.Body {
		return emqxtest.Body(`{"code":0,"data":[{"method":"GET","path":"/dynamic_license"},{"method":"POST",` +
			`"path":"/dynamic_license/:x"},{"method":"` + method + `","path":"` + path + `"}]}`)
	}
	var limit string // what /license_info tells
	told := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		emqxtest.Body(`{"code":0,"data":{"original_max_connections":9000,"max_connections":`+limit+`}}`).ServeHTTP(w, r)
	})
	takes := func(value string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			limit = value
			done.ServeHTTP(w, r)
		})
	}
	for _, c := range []struct {
		name    string
		field   string
		calls   http.Handler
		n       int
		set     http.Handler
		want    ecp.ConnectionLimit
		code    ecp.Code
		says    string
		request string
	}{
		{name: "not configured", calls: lists("POST", "/dynamic_license"), n: 7, set: takes("7"),
			code: ecp.CodeUnsupported,
			says: "EMQX does not document the call"},
		{name: "not listed", field: "max_connections", calls: recorded(t, "00-api-root"), n: 7,
			code: ecp.CodeUnsupported,
			says: "does not list a call"},
		{name: "not listed but elsewhere", field: "max_connections", calls: lists("POST", "/dynamic_licenses"), n: 7,
			code: ecp.CodeUnsupported, says: "does not list a call"},
		{name: "set", field: "max_connections", calls: lists("POST", "/dynamic_license/"), n: 7, set: takes("7"),
			want: ecp.ConnectionLimit{Settable: true, Set: 7, InForce: 7}, request: "POST " + dynamic +
				` {"max_connections":7}`},
		{name: "set by another method", field: "limit", calls: lists("put", "/dynamic_license"), n: 7,
			set:  takes(`"7"`),
			want: ecp.ConnectionLimit{Settable: true, Set: 7, InForce: 7}, request: "PUT " + dynamic + ` {"limit":7}`},
		{name: "capped by the license", field: "n", calls: lists("POST", "/dynamic_license"), n: 10000,
			set:  takes("9000"),
			want: ecp.ConnectionLimit{Settable: true, Set: 9000, InForce: 9000}, request: "POST " + dynamic +
				` {"n":10000}`},
		{name: "dropped", field: "n", calls: lists("POST", "/dynamic_license"), n: 7, set: takes("25"),
			code: ecp.CodeUnsupported, says: "25 is in force", request: "POST " + dynamic + ` {"n":7}`},
		{name: "refused", field: "n", calls: lists("POST", "/dynamic_license"), n: 7,
			set: emqxtest.Body(`{"code":400,"message":"missing limit"}`), code: ecp.CodeInvalid, says: "in the field n",
			request: "POST " + dynamic + ` {"n":7}`},
		{name: "nothing", field: "n", calls: lists("POST", "/dynamic_license"), n: 0, code: ecp.CodeInvalid,
			says: "1 or more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			limit = "25"
			var j emqxtest.Requests
			h := j.Record(site{version: "4.4.24", enterprise: true, paths: emqxtest.Paths{
				licenseInfo: told, dynamic: c.set, "/api/v4": c.calls,
			}})
			b := openAs[ecp.ConnectionLimiter](t, emqxv4.Config{LimitField: c.field}, emqxtest.Serve(t, h, login))
			before, err := b.ConnectionLimit(t.Context())
			require.NoError(t, err)
			require.Equal(t, 25, before.InForce)
			require.Equal(t, before.Why == "", before.Settable)
			got, err := b.SetConnectionLimit(t.Context(), c.n)
			refusedWith(t, err, c.code, c.says)
			require.Equal(t, c.want, got)
			if c.name == "dropped" {
				require.ErrorIs(t, err, ecp.ErrLicenseNotBusinessCritical)
			}
			if c.request == "" {
				require.Empty(t, j.Changes())
				return
			}
			require.Equal(t, []string{c.request}, j.Changes())
		})
	}
	_, err := brokerOf[ecp.ConnectionLimiter](t, site{version: "4.4.24"}).ConnectionLimit(t.Context())
	refusedWith(t, err, ecp.CodeUnsupported, "found open-source EMQX 4.4.24")
}
