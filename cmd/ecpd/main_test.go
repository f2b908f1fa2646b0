package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFromTerminal(t *testing.T) {
	is := func(name string) bool {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if os.IsNotExist(err) || os.IsPermission(err) {
			t.Skipf("there is no %s here", name)
		}
		require.NoError(t, err)
		defer func() { _ = f.Close() }()
		return fromTerminal(f)
	}
	require.False(t, is(os.DevNull), "what daemons are given")
	require.False(t, is(filepath.Join(t.TempDir(), "file")))
	require.True(t, is("/dev/ptmx"))
	closed, err := os.Open(os.DevNull)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	require.False(t, fromTerminal(closed))
}

// The reloader ends with its context, and tells of each attempt until then.
func TestReloaderEnds(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	writePair(t, certFile, keyFile, 1)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	pair, err := newCertificate(certFile, keyFile, logger)
	require.NoError(t, err)
	c, _, err := configOf(t, []string{"--dev", "--log-level", "warn"}, nil)
	require.NoError(t, err)
	c.tlsCheck = time.Millisecond
	hangups, attempts := make(chan os.Signal, 1), make(chan error, 100)
	r := &reloader{config: c, level: new(slog.LevelVar), certificate: pair, hangups: hangups, log: logger,
		done: func(err error) { attempts <- err }}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.run(ctx)
	}()
	require.NoError(t, os.Remove(keyFile))
	require.ErrorContains(t, <-attempts, "the one before stays in use", "by looking")
	hangups <- syscall.SIGHUP
	require.ErrorContains(t, <-attempts, "the one before stays in use", "by SIGHUP")
	cancel()
	<-ended
	require.Equal(t, slog.LevelWarn, r.level.Level(), "the flag holds")
}
