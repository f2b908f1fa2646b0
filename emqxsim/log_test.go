package emqxsim_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// logOf gives the lines of a node, without the times of the platform.
func logOf(t *testing.T, n *emqxsim.Node, o ecp.LogOptions) (out []string) {
	t.Helper()
	body := n.Logs(t.Context(), o)
	defer body.Close()
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	var last time.Time
	for line := range strings.Lines(string(text)) {
		stamp, rest, _ := strings.Cut(line, " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		require.NoError(t, err)
		require.True(t, at.After(last), "no two lines are of one moment: %s", line)
		last = at
		out = append(out, strings.TrimSuffix(rest, "\n"))
	}
	return out
}

// TestLog: what happens in a cluster stands in the logs of its nodes, in the
// form of the version.
func TestLog(t *testing.T) {
	for _, c := range []struct{ version, listener, alarm, limit, down string }{
		{"4.4.24", "Start mqtt:tcp:external listener on 0.0.0.0:1883 successfully.",
			"[warning] [Alarm] activated message=hot name=cpu",
			"[error] [License] connection rejected: limit reached listener=mqtt:tcp:external",
			"[error] [Cluster] node is down node=emqx@b"},
		{"5.8.9", "Listener tcp:default on 0.0.0.0:1883 started.", "[warning] msg: alarm_is_activated, message: hot, " +
			"name: cpu",
			"[error] msg: connection_rejected_due_to_license_limit_reached, listener: tcp:default",
			"[error] msg: node_down, node: emqx@b"},
	} {
		t.Run(c.version, func(t *testing.T) {
			k := newClock()
			s := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: c.version, Limit: 20, Now: k.Now})
			a, b := s.Join("emqx@a"), s.Join("emqx@b")
			k.advance(time.Second)
			find := func(n *emqxsim.Node, text string) (found []string) {
				for _, line := range logOf(t, n, ecp.LogOptions{}) {
					if strings.Contains(line, text) {
						found = append(found, line)
					}
				}
				return found
			}
			require.Equal(t, []string{c.listener}, find(a, c.listener))
			require.Equal(t, []string{"EMQX " + c.version + " is running now!"}, find(b, "running now"))
			a.RaiseAlarm("cpu", "hot\n[critical] forged", nil)
			k.advance(time.Second)
			a.ClearAlarm("cpu")
			got := find(a, "hot")
			require.Len(t, got, 1, "a line is one line")
			require.Contains(t, strings.ReplaceAll(got[0], " [critical] forged", ""), c.alarm)
			require.Len(t, find(a, "eactivated"), 1)
			require.True(t, strings.HasPrefix(got[0],
				k.Now().Add(-time.Second).Format("2006-01-02T15:04:05.000000-07:00 ")),
				got[0])

			s.AddClients(emqxsim.Clients{Name: "c", Count: 100})
			k.advance(59 * time.Second)
			require.Len(t, find(a, c.limit), 1, "clients that try again and again are told of once a minute")
			k.advance(2 * time.Minute)
			require.Greater(t, len(find(a, c.limit)), 1)
			b.Kill()
			require.Len(t, find(a, c.down), 1)

			l := emqxsim.License{Limit: 1000, Customer: "Somebody"}
			s.SetLicense(l)
			require.Len(t, find(a, "Somebody"), 1)
			require.Empty(t, find(a, emqxsim.LicenseKey(l)))
			a.StartEvacuation(0, 0, time.Second, 0)
			k.advance(time.Hour)
			a.StopEvacuation()
			require.GreaterOrEqual(t, len(find(a, "vacuation")), 4, "it began, went on, and was stopped")
		})
	}
}

// TestLogIsBounded: the newest lines are kept, and options pick some.
func TestLogIsBounded(t *testing.T) {
	k := newClock()
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now}).Join("emqx@a")
	for range 3000 {
		k.advance(time.Second)
		n.RaiseAlarm("a", strings.Repeat("x", 10_000), nil)
		n.ClearAlarm("a")
	}
	all := logOf(t, n, ecp.LogOptions{})
	require.Len(t, all, 2000)
	for _, line := range all {
		require.LessOrEqual(t, len(line), 4<<10)
	}
	require.Equal(t, all[1997:], logOf(t, n, ecp.LogOptions{Tail: 3}))
	require.Len(t, logOf(t, n, ecp.LogOptions{Since: k.Now().Add(-time.Second)}), 4)
}

// TestLogFollow: a log that is followed waits for lines, and ends with its
// context or when it is closed.
func TestLogFollow(t *testing.T) {
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	ctx, cancel := context.WithCancel(t.Context())
	body := n.Logs(ctx, ecp.LogOptions{Follow: true, Tail: 1})
	lines := bufio.NewReader(body)
	_, err := lines.ReadString('\n')
	require.NoError(t, err)
	n.RaiseAlarm("one", "alarm one", nil)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "alarm one")
	cancel()
	_, err = lines.ReadString('\n')
	require.ErrorIs(t, err, context.Canceled)

	body = n.Logs(t.Context(), ecp.LogOptions{Follow: true, Since: time.Now().Add(time.Hour)})
	timer := time.AfterFunc(10*time.Millisecond, func() { _ = body.Close() })
	defer timer.Stop()
	_, err = io.ReadAll(body)
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

// TestHostedLogs: a pod has a log of its own, from its start on; what has no
// process has none.
func TestHostedLogs(t *testing.T) {
	k := newClock()
	p := newProvisioner(t, emqxsim.ProvisionerConfig{Now: k.Now, BootTime: 10 * time.Second})
	d := wanted("emqx-00000001", "5.8.9", 2)
	require.NoError(t, p.Apply(t.Context(), d))
	o, err := p.Observe(t.Context(), d.ID)
	require.NoError(t, err)
	first := o.Nodes[0].Name
	read := func() string {
		t.Helper()
		body, err := p.Logs(t.Context(), d.ID, first, ecp.LogOptions{})
		require.NoError(t, err)
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		return string(text)
	}
	require.Empty(t, read(), "it boots")
	k.advance(10 * time.Second)
	require.Contains(t, read(), "running now")
	p.Cluster(d.ID).Node(first).RaiseAlarm("one", "alarm one", nil)
	require.Contains(t, read(), "alarm one")
	p.Cluster(d.ID).Node(first).ClearAlarm("one")
	require.NoError(t, p.DeletePod(d.ID, 0))
	k.advance(time.Minute)
	require.NotContains(t, read(), "alarm one", "that was another pod's")
	require.Contains(t, read(), "running now")

	require.NoError(t, p.Break(d.ID, 0, "ImagePullBackOff"))
	_, err = p.Logs(t.Context(), d.ID, first, ecp.LogOptions{})
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.ErrorContains(t, err, "ImagePullBackOff")
	p.SetUnreachable(true)
	_, err = p.Logs(t.Context(), d.ID, first, ecp.LogOptions{})
	require.ErrorIs(t, err, ecp.ErrUnavailable)
}
