package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedacted(t *testing.T) {
	for in, want := range map[string]string{
		`{"password": "hunter2", "name": "a"}`:        `{"password": "(redacted)", "name": "a"}`,
		`"apiKey":"x\"y","n":1`:                       `"apiKey":"(redacted)","n":1`,
		"login with password=hunter2, from 10.0.0.1":  "login with password=(redacted), from 10.0.0.1",
		`{"tokenId": "t1", "message": "all is well"}`: `{"tokenId": "t1", "message": "all is well"}`,
		"Authorization: hunter2":                      "Authorization: (redacted)",
		`{"nodes": [{"name": "emqx@10.1.2.3"}]}`:      `{"nodes": [{"name": "emqx@10.1.2.3"}]}`,
	} {
		require.Equal(t, want, string(redacted([]byte(in))))
	}
}
