package ecptest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/stretchr/testify/require"
)

// A wrapper that never crashes is the store inside.
func TestFaultyStoreIsAStore(t *testing.T) {
	open := func(*testing.T) ecp.Store { return ecptest.NewFaultyStore(memstore.New(), ecptest.NewCrasher()) }
	ecptest.TestStore(t, open)
	ecptest.TestStoreConcurrency(t, open)
}

// world is what a process works on: a store, and a provisioner that counts.
type world struct {
	store ecp.Store
	mu    sync.Mutex
	done  []string // guarded by mu
}

func (w *world) did(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = append(w.done, what)
}

func (w *world) Apply(context.Context, ecp.Desired) error { w.did("apply"); return nil }
func (w *world) Delete(context.Context, ecp.ID) error {
	w.did("delete")
	return errors.New("half done")
}
func (w *world) Observe(context.Context, ecp.ID) (ecp.Observation, error) {
	w.did("observe")
	return ecp.Observation{Exists: true}, nil
}

// program is a process that works through all the boundaries there are, and
// says after which call it was told that it is dead.
func program(ctx context.Context, s ecp.Store, p ecp.Provisioner) (learnt []string, err error) {
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"write", func() error {
			return s.Write(ctx, func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Image{ID: "a"}, 0) })
		}},
		{"observe", func() error {
			found, err := p.Observe(ctx, "emqx-00000001")
			if err != nil && found.Exists {
				return errors.New("a dead process learnt what was observed")
			}
			return err
		}},
		{"apply", func() error { return p.Apply(ctx, ecp.Desired{}) }},
		{"delete", func() error {
			if err := p.Delete(ctx, "emqx-00000001"); errors.Is(err, ecptest.ErrCrashed) || err == nil {
				return err
			}
			return nil // as the one inside says
		}},
		{"write", func() error {
			return s.Write(ctx, func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Image{ID: "b"}, 0) })
		}},
	} {
		if err := step.do(); err != nil {
			return learnt, err
		}
		learnt = append(learnt, step.name)
	}
	return learnt, nil
}

func (w *world) images(t *testing.T) (out []string) {
	t.Helper()
	require.NoError(t, w.store.Read(t.Context(), func(tx ecp.Tx) error {
		for i, err := range ecp.List[ecp.Image](tx, ecp.Query{}) {
			require.NoError(t, err)
			out = append(out, i.ID)
		}
		return nil
	}))
	return out
}

func TestCrashAtEveryBoundary(t *testing.T) {
	w := &world{store: memstore.New()}
	c := ecptest.NewCrasher()
	_, err := program(t.Context(), ecptest.NewFaultyStore(w.store, c), ecptest.NewFaultyProvisioner(w, c))
	require.NoError(t, err)
	points := c.Points()
	require.Equal(t, []string{
		ecptest.BeforeWrite, ecptest.AfterWrite, ecptest.BeforeObserve, ecptest.AfterObserve, ecptest.BeforeApply,
		ecptest.AfterApply,
		ecptest.BeforeDelete, ecptest.AfterDelete, ecptest.BeforeWrite, ecptest.AfterWrite,
	}, points)
	calls := []string{"write", "observe", "apply", "delete", "write"}
	for n := 1; n <= len(points); n++ {
		t.Run(fmt.Sprint(n, " ", points[n-1]), func(t *testing.T) {
			w, c := &world{store: memstore.New()}, ecptest.NewCrasher()
			c.Arm(n)
			s, p := ecptest.NewFaultyStore(w.store, c), ecptest.NewFaultyProvisioner(w, c)
			learnt, err := program(t.Context(), s, p)
			require.ErrorIs(t, err, ecptest.ErrCrashed)
			require.Equal(t, calls[:(n-1)/2], nonNil(learnt), "what the process learns that it has done")
			require.Equal(t, calls[:n/2], w.really(t), "what it has done")
			require.Equal(t, points[:n], c.Points())
			<-c.Crashed()

			// It stays dead, whatever it tries, and touches nothing.
			before := w.really(t)
			learnt, err = program(t.Context(), s, p)
			require.Empty(t, learnt)
			require.ErrorIs(t, err, ecptest.ErrCrashed)
			require.ErrorIs(t, s.Read(t.Context(), func(ecp.Tx) error { return nil }), ecptest.ErrCrashed)
			for _, err := range s.Changes(t.Context(), 0) {
				require.ErrorIs(t, err, ecptest.ErrCrashed)
			}
			require.Equal(t, before, w.really(t))
			require.Equal(t, points[:n], c.Points(), "a dead process crosses nothing")
		})
	}
}

func nonNil(s []string) []string { return append([]string{}, s...) }

// really returns everything that was really done, in the order of program.
func (w *world) really(t *testing.T) []string {
	t.Helper()
	out := []string{}
	for range min(len(w.images(t)), 1) {
		out = append(out, "write")
	}
	w.mu.Lock()
	out = append(out, w.done...)
	w.mu.Unlock()
	for range max(len(w.images(t))-1, 0) {
		out = append(out, "write")
	}
	return out
}

func TestArm(t *testing.T) {
	w, c := &world{store: memstore.New()}, ecptest.NewCrasher()
	p := ecptest.NewFaultyProvisioner(w, c)
	c.Arm(1)
	c.Arm(0)
	require.NoError(t, p.Apply(t.Context(), ecp.Desired{}), "armed and taken back")
	c.Arm(2)
	require.ErrorIs(t, p.Apply(t.Context(), ecp.Desired{}), ecptest.ErrCrashed, "counted from when it was armed")
	require.Equal(t, []string{"apply", "apply"}, w.done)
}

func TestCrashEndsWaiting(t *testing.T) {
	w, c := &world{store: memstore.New()}, ecptest.NewCrasher()
	s := ecptest.NewFaultyStore(w.store, c)
	p := ecptest.NewFaultyProvisioner(everything{world: w}, c)
	ended := make(chan error, 2)
	begun := make(chan ecp.ID, 1)
	go func() {
		ended <- p.(ecp.Watcher).Watch(t.Context(), func(id ecp.ID) { begun <- id })
	}()
	require.Equal(t, ecp.ID("emqx-00000001"), <-begun)
	changes := s.Changes(t.Context(), -1)
	go func() {
		for _, err := range changes {
			ended <- err
		}
	}()
	c.Arm(1)
	require.ErrorIs(t, p.Apply(t.Context(), ecp.Desired{}), ecptest.ErrCrashed)
	require.ErrorIs(t, <-ended, ecptest.ErrCrashed)
	require.ErrorIs(t, <-ended, ecptest.ErrCrashed)
}

// everything is a provisioner with every optional interface.
type everything struct {
	*world
	url string
}

func (everything) Watch(ctx context.Context, wake func(ecp.ID)) error {
	wake("emqx-00000001")
	<-ctx.Done()
	wake("emqx-00000002") // too late: nobody is woken by a dead process
	return nil
}
func (everything) RenderVersion() int { return 7 }
func (everything) Logs(context.Context, ecp.ID, string, ecp.LogOptions) (io.ReadCloser, error) {
	return http.NoBody, nil
}

func (e everything) Endpoint(context.Context, ecp.ID, string) (ecp.Endpoint, error) {
	return ecp.Endpoint{BaseURL: e.url}, nil
}

func TestOptionalInterfacesAreThoseInside(t *testing.T) {
	w := &world{}
	e := everything{world: w}
	type (
		watcher  = ecp.Watcher
		accessor = ecp.Accessor
		renderer = ecp.Renderer
		reader   = ecp.LogReader
	)
	has := func(p ecp.Provisioner) (out []string) {
		if _, ok := p.(watcher); ok {
			out = append(out, "watcher")
		}
		if _, ok := p.(accessor); ok {
			out = append(out, "accessor")
		}
		if r, ok := p.(renderer); ok {
			require.Equal(t, 7, r.RenderVersion())
			out = append(out, "renderer")
		}
		if _, ok := p.(reader); ok {
			out = append(out, "reader")
		}
		return out
	}
	seen := map[string]bool{}
	for _, p := range []ecp.Provisioner{
		w, e,
		struct {
			*world
			watcher
		}{w, e},
		struct {
			*world
			accessor
		}{w, e},
		struct {
			*world
			renderer
		}{w, e},
		struct {
			*world
			reader
		}{w, e},
		struct {
			*world
			watcher
			accessor
		}{w, e, e},
		struct {
			*world
			watcher
			renderer
		}{w, e, e},
		struct {
			*world
			watcher
			reader
		}{w, e, e},
		struct {
			*world
			accessor
			renderer
		}{w, e, e},
		struct {
			*world
			accessor
			reader
		}{w, e, e},
		struct {
			*world
			renderer
			reader
		}{w, e, e},
		struct {
			*world
			watcher
			accessor
			renderer
		}{w, e, e, e},
		struct {
			*world
			watcher
			accessor
			reader
		}{w, e, e, e},
		struct {
			*world
			watcher
			renderer
			reader
		}{w, e, e, e},
		struct {
			*world
			accessor
			renderer
			reader
		}{w, e, e, e},
	} {
		want := has(p)
		require.Equal(t, want, has(ecptest.NewFaultyProvisioner(p, ecptest.NewCrasher())))
		seen[fmt.Sprint(slices.Clone(want))] = true
	}
	require.Len(t, seen, 16, "every combination")
}

func TestCrashCutsEndpoints(t *testing.T) {
	var asked int
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer server.Close()
	w, c := &world{}, ecptest.NewCrasher()
	p := ecptest.NewFaultyProvisioner(everything{world: w, url: server.URL}, c)
	e, err := p.(ecp.Accessor).Endpoint(t.Context(), "emqx-00000001", "")
	require.NoError(t, err)
	client := &http.Client{Transport: e.Transport}
	defer client.CloseIdleConnections()
	get := func() error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.BaseURL, nil)
		require.NoError(t, err)
		resp, err := client.Do(r)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	require.NoError(t, get())
	c.Arm(1)
	require.ErrorIs(t, p.Apply(t.Context(), ecp.Desired{}), ecptest.ErrCrashed)
	require.ErrorIs(t, get(), ecptest.ErrCrashed)
	require.Equal(t, 1, asked)
	_, err = p.(ecp.Accessor).Endpoint(t.Context(), "emqx-00000001", "")
	require.ErrorIs(t, err, ecptest.ErrCrashed)
	_, err = p.(ecp.LogReader).Logs(t.Context(), "emqx-00000001", "", ecp.LogOptions{})
	require.ErrorIs(t, err, ecptest.ErrCrashed)
}

func TestNewIDIsValidAndNew(t *testing.T) {
	seen := map[ecp.ID]bool{}
	for range 100 {
		id := ecptest.NewID()
		require.True(t, id.Valid(), id)
		require.False(t, seen[id], id)
		seen[id] = true
	}
}
