package fleet_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

const expositionPath = "/api/v5/prometheus/stats"

// scraped is what was written, and how it ended.
func (r *rig) scrape(ctx context.Context, c ecp.Cluster) (text string, took time.Duration, err error) {
	r.t.Helper()
	var b strings.Builder
	began := time.Now()
	n, err := r.m.Monitor.WriteMetrics(ctx, c.ID(), &b, ecp.MetricsOfNode)
	require.EqualValues(r.t, b.Len(), n)
	return b.String(), time.Since(began), err
}

// TestMetricsOfAnotherNode: it takes over as long as nothing was written, and
// never after that.
func TestMetricsOfAnotherNode(t *testing.T) {
	for _, f := range []struct {
		name   string
		fault  emqxsim.Fault // of the first node
		whole  bool
		within time.Duration
	}{
		{"it is down", emqxsim.Fault{Refuse: true}, true, 5 * time.Second},
		{"it hangs", emqxsim.Fault{Hang: true}, true, 10*time.Second + time.Millisecond},
		{"it fails", emqxsim.Fault{Status: 500}, true, 5 * time.Second},
		{"it is no exposition", emqxsim.Fault{ContentType: "text/html"}, true, 5 * time.Second},
		{"it ends early", emqxsim.Fault{Half: true}, false, 5 * time.Second},
	} {
		t.Run(f.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, _ := r.running()
				whole, _, err := r.scrape(asSystem(), c)
				require.NoError(t, err)
				f.fault.Node, f.fault.Path = r.nodeName(c, 0), expositionPath
				r.sim.Cluster(c.ID()).AddFault(f.fault)
				text, took, err := r.scrape(asSystem(), c)
				require.LessOrEqual(t, took, f.within)
				if f.whole {
					require.NoError(t, err)
					require.Equal(t, strings.Count(whole, "\n"), strings.Count(text, "\n"))
					return
				}
				require.ErrorIs(t, err, ecp.ErrUnavailable)
				require.Contains(t, err.Error(), "before its answer was complete")
				require.NotEmpty(t, text)
				require.Less(t, len(text), len(whole))
			})
		})
	}
}

// TestMetricsOfHosted4: a node of EMQX 4.4 that lacks the plugin for its metrics loads it when
// it is first asked, once. Nobody else's answer takes its place.
func TestMetricsOfHosted4(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.run()
		info, _, err := r.m.Create(asSystem(),
			fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("emqx-ee-4.4.24", 2)})
		require.NoError(t, err)
		c := r.m.Cluster(info.ID)
		r.reaches(c, ecp.Running)
		sim, node := r.sim.Cluster(c.ID()), r.nodeName(c, 1)
		load := "/api/v4/nodes/" + node + "/plugins/emqx_prometheus/load"
		ask := func() (string, error) {
			var b strings.Builder
			_, err := r.m.Monitor.WriteNodeMetrics(asSystem(), c.ID(), node, &b)
			return b.String(), err
		}

		works := sim.AddFault(emqxsim.Fault{Path: load, Status: 200, ContentType: "application/json",
			Body: `{"message":"parse_config_file_failed"}`})
		text, err := ask()
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.ErrorContains(t, err, "parse_config_file_failed")
		require.Empty(t, text)
		works()

		text, err = ask()
		require.NoError(t, err)
		require.Contains(t, text, "\nemqx_connections_count 0\n")
		sim.AddFault(emqxsim.Fault{Path: load, Status: 500}) // nobody calls it again
		_, err = ask()
		require.NoError(t, err)
		r.ends(r.do(c, ecp.Restart{}), ecp.PhaseSucceeded)
		_, err = ask()
		require.NoError(t, err, "it stays loaded through restarts")
	})
}

// TestMetricsThatDoNotBegin are given up like every other question.
func TestMetricsThatDoNotBegin(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.sim.Cluster(c.ID()).AddFault(emqxsim.Fault{Path: expositionPath, Hang: true})
		text, took, err := r.scrape(asSystem(), c)
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.Contains(t, err.Error(), "no answer in time")
		require.Equal(t, 20*time.Second, took)
		require.Empty(t, text)
	})
}

// TestMetricsThatTakeLong: what has begun may take longer than an answer that
// comes at once, but not for ever. A writer that fails is no fault of the node.
func TestMetricsThatTakeLong(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		_, err := r.m.Monitor.WriteMetrics(asSystem(), c.ID(), writerThatFails{}, ecp.MetricsOfNode)
		require.ErrorIs(t, err, errFull)
		r.stop()
		for lines, whole := range map[int]bool{5: true, 10: false} {
			r.m, err = fleet.New(context.Background(), fleet.Config{
				Store:        r.store,
				Provisioners: map[string]ecp.Provisioner{"default": r.sim},
				Adapters:     []ecp.Adapter{drip{lines: lines}},
			})
			require.NoError(t, err)
			text, took, err := r.scrape(asSystem(), c)
			if whole {
				require.NoError(t, err)
				require.Equal(t, lines, strings.Count(text, "\n"))
				continue
			}
			require.ErrorIs(t, err, ecp.ErrUnavailable)
			require.Equal(t, time.Minute, took)
		}
	})
}

// drip is an adapter whose brokers write a line of metrics every nine seconds.
type drip struct {
	mute
	lines int
}

func (d drip) Open(ecp.Endpoint) (ecp.Broker, error) { return d, nil }

func (d drip) WriteMetrics(ctx context.Context, w io.Writer, _ ecp.MetricsScope) (n int64, err error) {
	for range d.lines {
		select {
		case <-time.After(9 * time.Second):
		case <-ctx.Done():
			return n, &ecp.Error{Code: ecp.CodeUnavailable, Message: "given up", Cause: ctx.Err()}
		}
		k, err := io.WriteString(w, "emqx_x 1\n")
		n += int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

var errFull = errors.New("disk full")

type writerThatFails struct{}

func (writerThatFails) Write([]byte) (int, error) { return 0, errFull }

// TestTurnsAtABroker: four questions at once, whoever asks; others wait, as
// long as they like to but no longer than a question may take, and other
// List are not concerned.
func TestTurnsAtABroker(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		other, _ := r.create("b")
		r.reaches(other, ecp.Running)
		sim := r.sim.Cluster(c.ID())
		release := make(chan struct{})
		done := make(chan error)
		for i := range 4 {
			go func() { // two of one actor, and two of another
				by := ecp.WithActor(context.Background(),
					ecp.Actor{Name: []string{"ann", "ben"}[i%2], Grants: []ecp.Grant{{Role: ecp.RoleSystem}}})
				_, err := r.m.Monitor.WriteMetrics(by, c.ID(), held{release: release}, ecp.MetricsOfNode)
				done <- err
			}()
		}
		<-time.After(time.Second) // they have begun
		sim.AddFault(emqxsim.Fault{Path: "/api/v5/alarms", Status: 418})

		_, took, err := r.asks(c)
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.Contains(t, err.Error(), "too many questions to this cluster are under way")
		require.Equal(t, 20*time.Second, took)
		ctx, cancel := context.WithTimeout(asSystem(), 3*time.Second)
		defer cancel()
		_, err = r.m.Monitor.Traffic(ctx, c.ID())
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		_, took, err = r.asks(other)
		require.NoError(t, err)
		require.Less(t, took, time.Second)

		waiting := make(chan error)
		go func() { _, _, err := r.asks(c); waiting <- err }()
		<-time.After(time.Second)
		close(release)
		for range 4 {
			require.NoError(t, <-done)
		}
		require.NoError(t, <-waiting, "whoever waits gets the turn")
		require.Zero(t, r.m.Turns())
	})
}

// held takes nothing until it may.
type held struct{ release <-chan struct{} }

func (h held) Write(b []byte) (int, error) {
	<-h.release
	return io.Discard.Write(b)
}
