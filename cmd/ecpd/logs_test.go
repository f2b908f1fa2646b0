package main_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLogsOfACluster reads what the nodes of a cluster write, as JSON and as
// text, and follows it over a restart of its nodes until the daemon ends.
func TestLogsOfACluster(t *testing.T) {
	t.Parallel()
	d := dev(t, filepath.Join(t.TempDir(), "data"), "--drain", "100ms")
	id := d.create(t, "talks", 2)
	c := d.reaches(t, id, "running")
	path := "/api/v1/clusters/" + id + "/logs"
	var logs struct {
		Items []struct{ At, Node, Level, Message, Raw string }
		Gaps  []struct{ Node, Why string }
	}
	d.call(t, "GET", path, "", &logs, 200)
	assert.Empty(t, logs.Gaps)
	ran := map[string]bool{}
	for _, l := range logs.Items {
		at, err := time.Parse(time.RFC3339, l.At)
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), at, time.Minute)
		ran[l.Node] = ran[l.Node] || l.Message == "EMQX 5.8.9 is running now!"
	}
	for _, n := range c.Status.Nodes {
		assert.True(t, ran[n.Name], "%s: %+v", n.Name, logs.Items)
	}
	node := c.Status.Nodes[0].Name
	text := d.call(t, "GET", path+"?format=text&q=running+NOW&node="+url.QueryEscape(node), "", nil, 200)
	assert.Equal(t, "EMQX 5.8.9 is running now!\n", string(text.body))
	d.call(t, "GET", path+"?level=loud", "", nil, 422)

	stream := d.follow(t, path+"?follow=true&since="+url.QueryEscape(time.Now().Format(time.RFC3339Nano)))
	d.call(t, "POST", "/api/v1/clusters/"+id+"/stop", "", nil, 202)
	d.reaches(t, id, "stopped")
	d.call(t, "POST", "/api/v1/clusters/"+id+"/start", "", nil, 202)
	for stream.Scan() && !strings.Contains(stream.Text(),
		`"node":"`+node+`","level":"","message":"EMQX 5.8.9 is running now!"`) {
	}
	require.NoError(t, stream.Err(), "until the node has come back")
	began := time.Now()
	d.Signal(t, syscall.SIGTERM)
	end := rest(t, stream)
	assert.Contains(t, end, "event: problem")
	assert.Contains(t, end, "the server is shutting down")
	require.Zero(t, d.Wait(t, 15*time.Second))
	assert.Less(t, time.Since(began), mostEnd)
}

// follow opens a stream; lines gives what comes until it ends.
func (d *daemon) follow(t *testing.T, path string) (lines *bufio.Scanner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // outlives the test's own at its end
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+d.token)
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(req)
	require.NoError(t, err)
	t.Cleanup(func() {
		cancel()
		_ = res.Body.Close()
		transport.CloseIdleConnections()
	})
	require.Equal(t, 200, res.StatusCode)
	require.Contains(t, res.Header.Get("Content-Type"), "text/event-stream")
	return bufio.NewScanner(res.Body)
}
