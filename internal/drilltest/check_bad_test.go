package drilltest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
)

// goodHistory is a short history in which all promises were kept: of two clusters, one of
// which is deleted, two daemons and two readers.
func goodHistory() *history {
	cluster := func(seq int64, key, name, description string, deleted bool) seen {
		return seen{Seq: seq, Kind: ecp.KindCluster, Key: key, Deleted: deleted,
			Object: fmt.Appendf(nil, `{"name":%q,"description":%q}`, name, description)}
	}
	operation := func(seq int64, key, of string, phase ecp.Phase) seen {
		return seen{Seq: seq, Kind: ecp.KindOperation, Key: key, State: string(phase),
			Object: fmt.Appendf(nil, `{"cluster":%q}`, of)}
	}
	truth := []seen{
		operation(1, "op-1", "emqx-1", ecp.PhaseQueued), cluster(2, "emqx-1", "one", "", false),
		operation(3, "op-2", "emqx-2", ecp.PhaseQueued), cluster(4, "emqx-2", "two", "", false),
		operation(5, "op-1", "emqx-1", ecp.PhaseSucceeded), operation(6, "op-2", "emqx-2", ecp.PhaseSucceeded),
		cluster(7, "emqx-1", "one", "first", false), cluster(8, "emqx-1", "one", "second", false),
		operation(9, "op-3", "emqx-2", ecp.PhaseQueued), operation(10, "op-3", "emqx-2", ecp.PhaseSucceeded),
		cluster(11, "emqx-2", "two", "", true),
	}
	return &history{
		ops: []op{
			{what: "create", value: "one", cluster: "emqx-1", outcome: taken, answers: []string{"emqx-1", "emqx-1"}},
			{what: "create", value: "two", outcome: unknown},
			{what: "create", value: "three", outcome: refused},
			{what: "describe", value: "first", cluster: "emqx-1", outcome: taken, answers: []string{""}},
			{what: "describe", value: "never", cluster: "emqx-1", outcome: refused},
			{what: "describe", value: "perhaps", cluster: "emqx-1", outcome: unknown},
			{what: "describe", value: "second", cluster: "emqx-1", outcome: taken, answers: []string{""}},
			{what: "delete", cluster: "emqx-2", outcome: taken, answers: []string{"op-3", "op-3"}},
		},
		readers: [][]seen{slices.Clone(truth), slices.Clone(truth[2:])},
		truth:   truth,
		stored:  []storedWrite{{"a", 1, 1, 4, 5}, {"a", 2, 1, 5, 6}, {"b", 2, 2, 9, 10}, {"b", 2, 2, 10, 11}},
		calls: []platformCall{
			{"a", "emqx-1", "apply", 1, 1, true, false}, {"a", "emqx-2", "apply", 1, 1, true, false},
			{"b", "emqx-2", "delete", 1, 2, true, false}, {"a", "emqx-2", "apply", 1, 1, false, true},
			{"b", "emqx-2", "delete", 2, 2, true, false},
		},
		asked: []brokerCall{{"a", "emqx-2", 1, 2, "PUT /x"}, {"b", "emqx-2", 2, 3, "PUT /x"}},
		audit: []audited{{"create", "emqx-1"}, {"create", "emqx-2"}, {"update", "emqx-1"}, {"update", "emqx-1"},
			{"delete", "emqx-2"}},
		end: end{
			clusters: map[ecp.ID]settledCluster{
				"emqx-1": {name: "one", description: "second", booked: 10, nodes: 1, wanted: 1},
			},
			books: []books{{7, 1, 10, 10, 1, 20, 10, 10}},
		},
	}
}

func TestCheckPasses(t *testing.T) { require.Empty(t, goodHistory().check()) }

// TestCheckFails spoils a good history in one thing at a time.
func TestCheckFails(t *testing.T) {
	object := func(s *seen, old, new string) {
		s.Object = json.RawMessage(strings.Replace(string(s.Object), old, new, 1))
	}
	for says, spoil := range map[string]func(*history){
		"change 7 is missing in the database": func(h *history) { h.end.gaps = []int64{7} },
		"the stream itself has 7 after 8":     func(h *history) { h.truth[6], h.truth[7] = h.truth[7], h.truth[6] },
		"reader 1 was shown nothing":          func(h *history) { h.readers[1] = nil },
		"reader 0: 6 (operation op-2) is missing": func(h *history) {
			h.readers[0] = slices.Delete(h.readers[0], 5, 6)
		},
		"reader 0: 6 came after 6": func(h *history) {
			h.readers[0] = slices.Insert(h.readers[0], 5, h.readers[0][5])
		},
		"reader 0: 6 came after 7": func(h *history) {
			h.readers[0][5], h.readers[0][6] = h.readers[0][6], h.readers[0][5]
		},
		"reader 1: 8 was another": func(h *history) { object(&h.readers[1][5], "second", "third") },
		"reader 1: nobody else knows of 6": func(h *history) {
			h.truth = slices.Delete(h.truth, 5, 6)
		},

		`"one" was made 2 times`:                     func(h *history) { object(&h.truth[3], "two", "one") },
		`"uno" was acknowledged as emqx-1 and`:       func(h *history) { h.ops[0].value = "uno" },
		`"two" was refused and is there`:             func(h *history) { h.ops[1].outcome = refused },
		`and was answered as emqx-3`:                 func(h *history) { h.ops[0].answers[1] = "emqx-3" },
		`nobody has asked for "two"`:                 func(h *history) { h.ops[1].value = "deux" },
		"emqx-2 has gone, and nobody has deleted it": func(h *history) { h.ops[7].outcome = refused },
		"emqx-2 was deleted, and is there": func(h *history) {
			h.truth[10].Deleted = false
			h.end.clusters["emqx-2"] = settledCluster{name: "two"}
		},
		"emqx-2 came back": func(h *history) {
			h.truth = append(h.truth, h.truth[3])
			h.truth[11].Seq = 12
		},
		"there at the end false": func(h *history) {
			delete(h.end.clusters, "emqx-1")
		},

		`the description "first" was acknowledged and is lost`: func(h *history) { object(&h.truth[6], "first", "") },
		`the description "first" came into force 2 times`: func(h *history) {
			h.truth = append(h.truth, h.truth[6])
			h.truth[11].Seq = 12
		},
		`the description "first" was refused, and was in force`: func(h *history) { h.ops[3].outcome = refused },
		`nobody has asked for the description "second"`:         func(h *history) { h.ops[6].value = "other" },
		`the description "second" was in force before an earlier one`: func(h *history) {
			h.truth[6].Object, h.truth[7].Object = h.truth[7].Object, h.truth[6].Object
		},
		`and at the end it is "first"`: func(h *history) {
			c := h.end.clusters["emqx-1"]
			c.description = "first"
			h.end.clusters["emqx-1"] = c
		},

		"one key, two answers to delete":           func(h *history) { h.ops[7].answers[1] = "op-4" },
		"op-9 was acknowledged for delete":         func(h *history) { h.ops[7].answers = []string{"op-9"} },
		"has operations that nobody has asked for": func(h *history) { h.ops[7].answers = nil },
		"op-2 is queued at the end":                func(h *history) { h.truth[5].State = "queued" },
		"op-2 is failed at the end":                func(h *history) { h.truth[5].State = "failed" },
		"and 2 were acknowledged":                  func(h *history) { h.audit = slices.Delete(h.audit, 3, 4) },
		"the audit has update of emqx-1 4 times": func(h *history) {
			h.audit = append(h.audit, h.audit[2], h.audit[2])
		},
		"the audit has delete of emqx-1 1 times":      func(h *history) { h.audit[4].cluster = "emqx-1" },
		"the audit has 2 times that emqx-1 was":       func(h *history) { h.audit[1].cluster = "emqx-1" },
		"the audit has 1 creations, and the stream 2": func(h *history) { h.audit = h.audit[1:] },

		"nobody has looked at the books": func(h *history) { h.end.books = nil },
		"at 7 the books do not say":      func(h *history) { h.end.books[0].booked = 20 },
		"at 7 more is booked":            func(h *history) { h.end.books[0].quotaLimit = 9 },

		"changes after 4 were written twice":     func(h *history) { h.stored[1].after = 4 },
		"a pass of an earlier epoch has written": func(h *history) { h.stored[3].epoch = 1 },
		"two have written in one epoch":          func(h *history) { h.stored[3].by = "a" },
		"a call of an earlier epoch has changed": func(h *history) { h.calls[3].changed = true },
		"two have worked on one cluster":         func(h *history) { h.calls[4].holder, h.calls[4].by = 1, "a" },
		"EMQX was spoken to in an earlier epoch": func(h *history) { h.asked[1].epoch = 1 },
		"emqx-1 has not settled": func(h *history) {
			h.end.clusters["emqx-1"] = settledCluster{description: "second", nodes: 2, wanted: 1}
		},
	} {
		t.Run(says, func(t *testing.T) {
			h := goodHistory()
			spoil(h)
			require.Contains(t, strings.Join(h.check(), "\n"), says)
		})
	}
}
