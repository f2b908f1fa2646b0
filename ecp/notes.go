package ecp

import "fmt"

// notes say what nodes and clients will see of a command: for plans.
func notes(rec ClusterRecord, d decision) []string {
	var out []string
	if rec.Mode != Hosted || d.nothing || d.kind != OpUpdate && d.kind != OpRestart {
		return out
	}
	runs := wantedNodes(rec)
	if runs == 0 {
		return append(out, "no node runs: it shows when the cluster is started")
	}
	has, want := ordinalsOf(rec), d.rec.Spec.Hosted.Nodes
	alone := fmt.Sprintf("clients are moved to other nodes before, up to %s for each", d.rec.Spec.Hosted.Evacuation.deadline())
	if v, ok := ParseVersion(rec.Resolved.Image.Version); ok && v.Before(Version{4, 4, 12}) {
		alone = "clients are cut: EMQX before 4.4.12 moves none"
	}
	if want > has {
		out = append(out, some(want-has, "is added", "are added"))
	}
	if want < has {
		out = append(out, some(has-want, "leaves for good with its volume; ", "leave for good with their volumes, one at a time; ")+alone)
	}
	if !rolled(rec, d.rec) {
		return out
	}
	if min(has, want) == 1 {
		return append(out, "the only node is replaced: clients are cut and nothing serves until it is back")
	}
	return append(out, some(min(has, want), "is replaced; ", "are replaced, one at a time; ")+alone)
}

// some counts nodes in words.
func some(n int, one, many string) string {
	if n == 1 {
		return "1 node " + one
	}
	return fmt.Sprintf("%d nodes %s", n, many)
}

// rolled says that a change replaces nodes.
func rolled(before, after ClusterRecord) bool {
	if after.Restarts != before.Restarts {
		return true
	}
	for _, field := range differing(before.Spec, after.Spec) {
		if rolls[field] {
			return true
		}
	}
	return false
}
