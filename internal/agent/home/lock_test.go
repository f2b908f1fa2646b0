//go:build unix

package home_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/agent/home"
)

// Whoever asks which agent runs keeps none from starting.
func TestLockWhileAsked(t *testing.T) {
	dir := home.Dir(t.TempDir())
	_, err := dir.Prepare()
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for ctx.Err() == nil {
				_, _, _ = dir.Running()
			}
		})
	}
	defer asking.Wait()
	defer stop()
	for range 200 {
		release, err := dir.Lock()
		require.NoError(t, err)
		release()
	}
}
