package emqxv4_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// locked asks for credentials as 4.4 does, and for one of its kinds only.
func locked(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != login.Username || password != login.Password {
			w.Header().Set("WWW-Authenticate", `Basic Realm="minirest-server"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte("UNAUTHORIZED"))
			return
		}
		h.ServeHTTP(w, r)
	})
}

func TestDetect(t *testing.T) {
	wrong := ecp.Credentials{Username: "admin", Password: "guess", Kind: ecp.CredentialKey}
	user := ecp.Credentials{Username: "admin", Password: "guess", Kind: ecp.CredentialUser}
	known := ecp.Detection{Major: 4}
	for _, c := range []struct {
		name  string
		h     http.Handler
		login ecp.Credentials
		want  ecp.Detection
		code  ecp.Code
		says  []string
	}{
		{name: "enterprise", h: locked(site{version: "4.4.24", enterprise: true}), login: login,
			want: ecp.Detection{Major: 4, Version: "4.4.24", Edition: "enterprise", Authenticated: true}},
		{name: "the first that can be managed", h: locked(site{version: "4.4.6", enterprise: true}), login: login,
			want: ecp.Detection{Major: 4, Version: "4.4.6", Edition: "enterprise", Authenticated: true}},
		{name: "too old", h: locked(site{version: "4.4.5", enterprise: true}), login: login,
			want: ecp.Detection{Major: 4, Version: "4.4.5", Edition: "enterprise", Authenticated: true},
			code: ecp.CodeUnsupported, says: []string{"found EMQX Enterprise 4.4.5; needed EMQX Enterprise " +
				"4.4.6 or later"}},
		{name: "open source, as recorded", h: replay(t, "one"), login: login,
			want: ecp.Detection{Major: 4, Version: "4.4.19", Edition: "opensource", Authenticated: true},
			code: ecp.CodeUnsupported, says: []string{"found open-source EMQX 4.4.19; needed EMQX Enterprise " +
				"4.4.6 or later"}},
		{name: "without credentials", h: locked(site{version: "4.4.24"}), want: known},
		{name: "without credentials, as recorded", h: replay(t, "one"), want: known},
		{name: "wrong AppID", h: locked(site{version: "4.4.24"}), login: wrong, want: known, code: ecp.CodeDenied,
			says: []string{"AppID", "18083 takes a dashboard user"}},
		{name: "disabled or expired, as recorded", h: recorded(t, "16-app-disabled-use"), login: wrong, want: known,
			code: ecp.CodeDenied, says: []string{"enabled and not expired"}},
		{name: "wrong user", h: locked(site{version: "4.4.24"}), login: user, want: known, code: ecp.CodeDenied,
			says: []string{"dashboard user's name", "8081 takes an AppID"}},
		{name: "EMQX 5", h: emqxtest.Paths{"/api/v5/nodes": emqxtest.Recorded(t,
			"testdata/answers/01-nodes-noauth-401.txt")}.Before(http.NotFoundHandler()), login: login,
			code: ecp.CodeUnsupported, says: []string{"an EMQX 5"}},
		{name: "EMQX 5, without credentials", h: emqxtest.Paths{"/api/v5/nodes": emqxtest.Recorded(t,
			"testdata/answers/01-nodes-noauth-401.txt")}.Before(http.NotFoundHandler()), code: ecp.CodeUnsupported,
			says: []string{"found no EMQX 4"}},
		{name: "a page", h: answer{200, "text/html", "<html>"}, login: login, code: ecp.CodeUnsupported,
			says: []string{"found no EMQX 4"}},
		{name: "a proxy's login", h: answer{401, "text/html", "<html>"}, code: ecp.CodeUnsupported,
			says: []string{"proxy"}},
		{name: "it fails", h: emqxtest.Status(500), login: login, code: ecp.CodeUnavailable},
		{name: "it is asked too often", h: emqxtest.Status(429), login: login, code: ecp.CodeUnavailable},
		{name: "it is asked too often, without credentials", h: emqxtest.Status(429), code: ecp.CodeUnavailable},
		{name: "it fails, without credentials", h: emqxtest.Status(500), code: ecp.CodeUnavailable},
		{name: "it fails where it is asked as somebody", h: locked(emqxtest.Status(500)), login: login, want: known,
			code: ecp.CodeUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, ok := emqxv4.New(patient).(ecp.Detector)
			require.True(t, ok)
			got, err := d.Detect(t.Context(), emqxtest.Serve(t, c.h, c.login))
			refusedWith(t, err, c.code, c.says...)
			require.Equal(t, c.want, got)
		})
	}
}

func TestHealth(t *testing.T) {
	const available = "/api/v4/load_rebalance/availability_check"
	up := answer{200, "text/plain", "Node emqx@127.0.0.4 is started\nemqx is running"}
	for _, c := range []struct {
		name   string
		page   http.Handler
		check  http.Handler
		want   ecp.Health
		reason string
	}{
		{name: "well", page: up, check: done, want: ecp.Health{Node: "emqx@127.0.0.4", Running: true,
			Available: ecp.True}},
		{name: "evacuated", page: up, check: emqxtest.Status(503),
			want: ecp.Health{Node: "emqx@127.0.0.4", Running: true,
				Available: ecp.False}, reason: "evacuated"},
		{name: "before 4.4.24", page: up, check: emqxtest.Recorded(t, "testdata/answers/00-nodes-noauth.txt"),
			want:   ecp.Health{Node: "emqx@127.0.0.4", Running: true, Available: ecp.Unknown},
			reason: "needed EMQX Enterprise 4.4.24"},
		{name: "open source", page: up, check: unknown, want: ecp.Health{Node: "emqx@127.0.0.4", Running: true,
			Available: ecp.Unknown}, reason: "needed"},
		{name: "no answer as to clients", page: up, check: emqxtest.Hang{}, want: ecp.Health{Node: "emqx@127.0.0.4",
			Running: true, Available: ecp.Unknown}, reason: "no answer"},
		{name: "on its way up", page: answer{503, "text/plain", "Node emqx@127.0.0.4 is starting\nemqx is not_running"},
			want: ecp.Health{Node: "emqx@127.0.0.4", Available: ecp.False}, reason: "on its way up"},
		{name: "the dashboard's port", page: http.NotFoundHandler(), want: ecp.Health{Available: ecp.Unknown},
			reason: "8081"},
		{name: "a page", page: answer{200, "text/html", "<html>"}, want: ecp.Health{Available: ecp.Unknown},
			reason: "check the port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := emqxtest.Paths{"/status": c.page, available: c.check}.Before(http.NotFoundHandler())
			asked := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					t.Errorf("%s got credentials", r.URL.Path)
				}
				h.ServeHTTP(w, r)
			})
			synctest.Test(t, func(t *testing.T) {
				got, err := inside[ecp.HealthSource](t, asked).Health(t.Context())
				require.NoError(t, err)
				require.Contains(t, got.Why, c.reason)
				require.Equal(t, c.reason == "", got.Why == "")
				got.Why = ""
				require.Equal(t, c.want, got)
			})
		})
	}
	_, err := openAs[ecp.HealthSource](t, emqxv4.Config{},
		ecp.Endpoint{BaseURL: "http://127.0.0.1:1"}).Health(t.Context())
	refusedWith(t, err, ecp.CodeUnavailable)
}
