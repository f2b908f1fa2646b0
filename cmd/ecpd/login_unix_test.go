//go:build unix

package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// majorPage is what is particular to a major's dashboard.
type majorPage struct {
	image, nodes, clients string // the routes in the hash
	stored                string // what logs the person in, as the browser keeps it
	header                string // that it makes of it
}

var majorPages = map[string]majorPage{
	"v4": {
		"emqx-ee-4.4.24", "#/", "#/clients", "localStorage.getItem('uK') || sessionStorage.getItem('uK')",
		"'Basic ' + btoa(['username', 'password'].map((k) => " +
			"JSON.parse(decodeURIComponent(atob(STORED)))[k]).join(':'))",
	},
	"v5": {
		"emqx-ee-5.8.9", "#/dashboard/overview", "#/clients", "localStorage.getItem('uKV5')",
		"'Bearer ' + JSON.parse(STORED).token",
	},
}

// TestLoginInABrowser follows a person in a real browser: a link of the daemon
// leads to the dashboard's form; a wrong password is told, the right one shows
// the nodes; other pages are routes in the hash; a reload keeps the login; who
// logs out sees the form again, and what the browser had is good for nothing.
func TestLoginInABrowser(t *testing.T) {
	t.Parallel()
	b := openChromium(t)
	d := dev(t, t.TempDir())
	for name, major := range majorPages {
		t.Run(name, func(t *testing.T) {
			var c cluster
			d.call(t, "POST", "/api/v1/clusters", `{"mode":"hosted","name":"`+name+`","spec":{"image":"`+major.image+
				`","nodes":1,"connections":10}}`, &c, 202)
			d.reaches(t, c.ID, "running")
			var link struct{ URL string }
			d.call(t, "POST", "/api/v1/clusters/"+c.ID+"/dashboard", "", &link, 201)
			b.open(t, link.URL)
			b.becomes(t, "document.querySelector('form input[type=password]')")
			require.Equal(t, "#/login", b.run(t, "location.hash || '#/login'"))
			require.Equal(t, "null", b.run(t, major.stored), "nobody is logged in by the link")
			b.fill(t, map[string]string{"username": "admin", "password": "wrong"})
			b.becomes(t, "document.querySelector('.error').textContent")
			b.fill(t, map[string]string{"username": "admin", "password": "public"})
			b.becomes(t, "location.hash === '"+major.nodes+"' && document.body.innerText.includes('"+c.ID+"')")
			require.NotContains(t, b.run(t, "location.href"), "public", "no password in an address")

			header := b.run(t, strings.ReplaceAll(major.header, "STORED", major.stored))
			b.run(t, "location.hash = '"+major.clients+"'")
			b.becomes(t, "document.body.innerText.includes('sensor-0')")
			b.call(t, "Page.reload", nil)
			b.becomes(t, "document.body && document.body.innerText.includes('sensor-0')")

			b.run(t, "[...document.querySelectorAll('nav a')].find((a) => a.textContent === 'Log out').click()")
			b.becomes(t, "document.querySelector('form input[type=password]')")
			require.Equal(t, "null", b.run(t, major.stored))
			if name == "v5" { // 4.4 has no logins that could end
				b.becomes(t, "fetch('api/v5/nodes', {headers: {Authorization: '"+header+
					"'}}).then((r) => r.status === 401)")
			}
		})
	}
}
