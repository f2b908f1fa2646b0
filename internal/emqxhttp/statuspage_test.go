package emqxhttp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatusPage(t *testing.T) {
	for _, c := range []struct {
		text, node  string
		running, ok bool
	}{
		{"Node emqx@127.0.0.1 is started\nemqx is running", "emqx@127.0.0.1", true, true},
		{"Node emqx@127.0.0.1 is started\nemqx is running\n", "emqx@127.0.0.1", true, true},
		{"Node emqx@127.0.0.1 is started\nemqx is not_running", "emqx@127.0.0.1", false, true},
		{"Node emqx@127.0.0.1 is stopped\nemqx is running", "emqx@127.0.0.1", false, true},
		{"Node emqx@127.0.0.1 is started", "emqx@127.0.0.1", false, false},
		{"<html>Node x", "", false, false},
		{"", "", false, false},
	} {
		node, running, ok := StatusPage(c.text)
		require.Equal(t, c.node, node, c.text)
		require.Equal(t, c.running, running, c.text)
		require.Equal(t, c.ok, ok, c.text)
	}
}

func TestRealm(t *testing.T) {
	for challenge, want := range map[string]string{
		`Basic Realm="emqx-dashboard"`:                   "emqx-dashboard",
		`Basic realm="minirest-server", charset="UTF-8"`: "minirest-server",
		"": "", "Basic": "", `Basic realm="half`: "",
	} {
		require.Equal(t, want, realm(challenge))
	}
}
