package adopt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// TestLongestLine: whatever an agent reports, a daemon reads what is told of it. Otherwise one
// agent could cut daemons off from one another.
func TestLongestLine(t *testing.T) {
	for _, c := range []string{"<", `"`, "a"} {
		report := agentproto.Report{Node: "emqx@a", Logs: strings.Repeat(c, 1000)}
		fill := strings.Repeat(c, 225/len(strings.Trim(fmt.Sprintf("%q", c), `"`))-len("emqx@-123"))
		for i := range maxMembers {
			report.Members = append(report.Members, agentproto.Member{Name: fmt.Sprintf("emqx@%s-%d", fill, i),
				Status: agentproto.MemberRunning, Role: c, Version: c})
		}
		at := time.Now()
		kept := convert(report, at)
		require.Len(t, kept.Description.Nodes, maxMembers)
		a := &agent{id: "x", cluster: newCluster(testCluster), connected: true, since: at, report: &kept}
		for _, n := range kept.Description.Nodes {
			a.members = append(a.members, n.Name)
		}
		var line bytes.Buffer
		require.NoError(t, newTeller(&line).Encode(toldLine{Agent: a.told()}))
		require.Less(t, line.Len(), 1<<20, "%q: earlier daemons read no more", c)
		back, err := readToldLine(line.Bytes())
		require.NoError(t, err)
		require.Equal(t, a.members, back.Agent.Members)
	}
}

// TestWrongTales: what a daemon cannot mean is an error, and changes nothing.
func TestWrongTales(t *testing.T) {
	for line, says := range map[string]string{
		`{"agent":{"id":"x","cluster":"c","since":"9999-12-31T23:59:59Z"}}`:                    "year 9999",
		`{"agent":{"id":"x","cluster":"c","lastSeen":"0000-01-01T00:00:00Z"}}`:                 "year 0",
		`{"agent":{"id":"x","cluster":"c","members":[""` + strings.Repeat(`,""`, 1000) + `]}}`: "1001 members",
		`{"agent":[]}`: "cannot unmarshal", `{"now":1}`: "Time", `no`: "invalid",
	} {
		_, err := readToldLine([]byte(line))
		require.ErrorContains(t, err, says, line)
	}
	inBubble(t, func(r *rig) {
		f := r.withFellows("f")[0]
		for _, far := range []time.Time{{}, time.Now().Add(49 * time.Hour), time.Now().Add(-49 * time.Hour)} {
			err := r.hub.takeLine(t.Context(), f, toldLine{Now: far.Add(time.Second)})
			require.ErrorContains(t, err, "too far")
		}
		for i := range maxToldAgents {
			f.agents[ecp.AgentID(fmt.Sprint(i))] = &toldAgent{}
		}
		l := toldLine{Agent: &toldAgent{ID: "one-more", Cluster: testCluster}}
		require.ErrorContains(t, r.hub.takeLine(t.Context(), f, l), "more than 100000 agents")
		require.Empty(t, r.hub.Observe(testCluster).Agents)
	})
}

// TestLateTale: an agent that has come here with a key of another cluster stays, though a
// daemon that was cut off tells of the cluster that it was in before.
func TestLateTale(t *testing.T) {
	inBubble(t, func(r *rig) {
		f := r.withFellows("f")[0]
		const before ecp.ID = "emqx-00000009"
		late := &toldAgent{ID: "x", Cluster: before, Since: time.Now(), Connection: toldConnection{Instance: "ix"}}
		r.register("x", "emqx@x")
		pass(time.Minute)
		r.connect("x")
		r.report("x", says("emqx@x", "emqx@x"))
		require.NoError(t, r.hub.takeLine(t.Context(), f, toldLine{Agent: late}))
		require.True(t, r.seen("x").Connected)
		require.Empty(t, r.hub.Observe(before).Agents)
		require.NoError(t, r.hub.takeLine(t.Context(), f, toldLine{Gone: "x"}))
		require.True(t, r.seen("x").Connected)
		agent, why := r.leads("")
		require.Equal(t, "x", agent, why)

		// One that has moved there counts.
		late.Connected, late.Connection.Hello.Time = true, time.Now().Add(time.Second)
		require.NoError(t, r.hub.takeLine(t.Context(), f, toldLine{Agent: late}))
		require.True(t, r.hub.Observe(before).Agents[0].Connected)
		require.Empty(t, r.hub.Observe(testCluster).Agents)
	})
}

// TestFellows: those that are not heard are told with the reason.
func TestFellows(t *testing.T) {
	inBubble(t, func(r *rig) {
		f := r.withFellows("g", "f", "gone", "ends")
		r.hub.lose(f[1])
		f[1].why = errors.New("it is\nelsewhere")
		f[2].listed = false
		r.hub.end(t.Context(), f[3])
		f[3].why = errors.New("EOF")
		pass(time.Minute)
		require.Equal(t, []Fellow{{ID: "ends", Quiet: time.Minute},
			{ID: "f", Quiet: time.Minute, Why: "it is elsewhere"},
			{ID: "g", Heard: true}}, r.hub.Fellows())
	})
	require.Empty(t, newHub(Config{}).Fellows())
}

// FuzzTold: whatever a daemon tells, this one goes on, keeps its own agents, and can show and
// tell all that it knows.
func FuzzTold(f *testing.F) {
	told, err := os.ReadFile("testdata/told.ndjson")
	require.NoError(f, err)
	f.Add(told)
	for _, seed := range []string{
		`{"agent":{"id":"mine","cluster":"` + string(testCluster) + `","connected":true,"since":"2026-01-01T00:00:00Z"}}`,
		`{"agent":{"id":"mine","cluster":"emqx-00000009"}}` + "\n" + `{"gone":"mine"}`,
		`{"agent":{"id":"x","cluster":"` + string(testCluster) + `","report":{"node":"n","description":{"nodes":[{}]}},` +
			`"uptimesNs":[1,2,3],"conflict":"\u0000\u202e","connection":{"skewNs":9223372036854775807}}}`,
		`{"now":"2026-11-30T00:00:00+14:00"}` + "\n" + `{"synced":true}` + "\n" + `{"ends":true}`,
		`{"agent":null,"gone":""}`, `null`, `[]`, "{", "", "\xff\x00", `{"now":"10000-01-01T00:00:00Z"}`,
	} {
		f.Add([]byte(seed))
	}
	now := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, all []byte) {
		r := &rig{t: t, hub: newHub(Config{Now: func() time.Time { return now }})}
		from := r.withFellows("f")[0]
		from.heard = false
		r.hub.remember(ecp.AgentRecord{ID: "mine", Cluster: testCluster})
		r.hub.Connected(agentproto.Connection{Agent: "mine", Instance: "i", Since: now,
			Hello: agentproto.Hello{Time: now}})
		follower := r.hub.addFollower()
		for line := range bytes.SplitSeq(all, []byte("\n")) {
			l, err := readToldLine(line)
			if err == nil {
				err = r.hub.takeLine(t.Context(), from, l)
			}
			if err != nil {
				require.Less(t, len(err.Error()), 2000)
			}
		}
		for _, id := range []ecp.ID{testCluster, "emqx-00000009"} {
			_, err := json.Marshal(r.hub.Observe(id))
			require.NoError(t, err)
		}
		lines, _, _ := r.hub.changes(follower)
		for _, l := range lines {
			raw, err := json.Marshal(l)
			require.NoError(t, err)
			_, err = readToldLine(raw)
			require.NoError(t, err)
		}
		if !from.heard { // until all is told, what it says of its connections does not count
			mine := r.hub.findLocked("mine")
			require.True(t, mine != nil && mine.connected && mine.home == nil)
		}
		r.hub.lose(from)
		from.listed = false
		r.hub.expireFellows()
	})
}
