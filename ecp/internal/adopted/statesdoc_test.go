package adopted

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/states.md from the tables")

const statesDoc = "../../../docs/states.md"

// The document is made from the tables, so that it cannot say anything else.
func TestStatesDocument(t *testing.T) {
	want := statesDocument()
	if *update {
		require.NoError(t, os.WriteFile(statesDoc, []byte(want), 0o644))
	}
	got, err := os.ReadFile(statesDoc)
	require.NoError(t, err)
	require.Equal(t, want, string(got),
		"docs/states.md is out of date: go test ./ecp/internal/adopted -run TestStatesDocument -update")
}

func statesDocument() string {
	var b strings.Builder
	b.WriteString(`# States

This page is made from ` + "`ecp.HostedStates`" + ` and ` + "`ecp.AdoptedStates`" + ` by a test; change those
tables, not the page.

A state is one word for people. Software waits on conditions: ` + "`Settled`" + ` (nothing is left to do for this
generation) and ` + "`Healthy`" + ` (no attention needed).

A command moves a cluster at once; everything else follows from what is observed. An observation moves a cluster along
the arrows marked "observed". Each arrow is one write and one event on the stream. While nothing can be observed
(Kubernetes or the link to it does not answer) the state is kept, the cluster is marked stale, and deadlines
stand still.

Some product documents call a new hosted cluster 更新中 in one place and 创建中 in another: here it is
` + "`creating`" + ` 创建中.
A stopped cluster in which nodes appear by hand goes back to ` + "`stopping`" + ` until they are gone again.

The last event of a cluster tells that its record was deleted, and says ` + "`" + string(ecp.Gone) +
		"` " + ecp.HostedStates.Label(ecp.Gone).ZH + `,
which no cluster has that can still be read.

A cluster whose record is older than what is found is ` + "`abnormal`" + ` with the reason ` + "`RecordOlder`" + `,
whatever state it was in: an older database was put back, or another program works with a copy of it. Nothing is written
to it. Only take-over (the record becomes what is there), put-back (what is there becomes what is recorded), transfer
and a delete with force are then taken, and a change of name and description; the first two are taken of no other
cluster.

Repair of a running cluster is taken only where EMQX has members that are no nodes of it (the reason ForeignMember of
Healthy): it removes those that have stopped. One that runs is left alone.
`)
	for _, mode := range []ecp.Mode{ecp.Hosted, ecp.Adopted} {
		writeMode(&b, mode)
	}
	return b.String()
}

func writeMode(b *strings.Builder, mode ecp.Mode) {
	m := mode.StateMachine()
	fmt.Fprintf(b, "\n## %s clusters\n\n| state | 中文 | meaning | legal commands |\n|---|---|---|---|\n",
		map[ecp.Mode]string{ecp.Hosted: "Hosted", ecp.Adopted: "Adopted"}[mode])
	for _, s := range m.States() {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", s, m.Label(s).ZH, m.Meaning(s),
			strings.Join(derive.CommandNames(m.Legal(s)), ", "))
	}
	b.WriteString("\nWhile a cluster is being deleted only delete is taken (to add " +
		"force).\n\n```mermaid\nstateDiagram-v2\n")
	fmt.Fprintf(b, "    [*] --> %s: create\n", m.States()[0])
	for _, s := range m.States() {
		writeArrows(b, m, s)
	}
	b.WriteString("```\n")
	if mode == ecp.Adopted {
		writeAdoptedReasons(b)
	}
}

// writeArrows writes what leads out of a state: one arrow to each other state,
// with all that leads along it.
func writeArrows(b *strings.Builder, m ecp.StateMachine, from ecp.State) {
	var order []ecp.State
	causes := map[ecp.State][]string{}
	add := func(to ecp.State, cause string) {
		if causes[to] == nil {
			order = append(order, to)
		}
		causes[to] = append(causes[to], cause)
	}
	for _, to := range m.Edges(from) {
		add(to, "observed")
	}
	for _, command := range m.Legal(from) {
		if to, verdict := m.Next(from, command); verdict == ecp.Moves {
			add(to, string(command))
		}
	}
	for _, to := range order {
		name := string(to)
		if to == ecp.Gone {
			name = "[*]"
		}
		fmt.Fprintf(b, "    %s --> %s: %s\n", from, name, strings.Join(causes[to], ", "))
	}
}

// writeAdoptedReasons tells what can be wrong with adopted clusters, in the order
// of the code's own table.
func writeAdoptedReasons(b *strings.Builder) {
	b.WriteString(`
What can be wrong with an adopted cluster, the most severe first. Each agent is checked by itself. Of several things
that are wrong the most severe is the reason, and the message tells of all. The state follows from the first rule that
holds:

| rule | what follows |
|---|---|
`)
	for _, r := range stateRules {
		fmt.Fprintf(b, "| %s | %s |\n", r.name, r.follows)
	}
	b.WriteString("\n| reason | meaning | counts |\n|---|---|---|\n")
	for _, r := range reasonRows {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", r.Reason, r.Meaning, r.Counts)
	}
	fmt.Fprintf(b, `
A cluster that is registering has %s for its first complete report, longer while no agent can be heard. After a
start of the program silence says nothing of an agent for %s: the cluster keeps its state and
is shown as unseen, and after %s of that it is marked stale.
Supported is %s;
EMQX 6 is taken as 5 is, and the condition `+"`Accepted`"+` says that it was not verified.
`, inWords(ecp.Timings{}.WithDefaults().Register), inWords(ecp.Timings{}.WithDefaults().AgentReturn),
		inWords(unheardAfter(ecp.Timings{}.WithDefaults())), supportedBrokers)
}

// inWords writes a time without the zeros of a Duration.
func inWords(d time.Duration) string { return fmt.Sprintf("%g seconds", d.Seconds()) }
