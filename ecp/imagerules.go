package ecp

import "fmt"

// imageRule is one line of what EMQX' documents allow of a change of version;
// the first whose when holds forbids it.
type imageRule struct {
	when func(from, to Version, nodes int) bool
	why  string
}

var imageRules = []imageRule{
	{func(from, to Version, _ int) bool { return from.Major == 4 && to.Major > 4 }, "EMQX 4 cannot become EMQX 5: make a new cluster and migrate its data"},
	{func(from, to Version, _ int) bool { return to.Major < from.Major }, "EMQX does not go back to an earlier major version"},
	{func(from, to Version, _ int) bool { return to.Major > from.Major && from.Before(Version{5, 8, 0}) }, "the way to EMQX 6 begins at 5.8.0: change to that first"},
	{func(from, to Version, _ int) bool { return to.Major == from.Major && to.Minor < from.Minor }, "EMQX goes back within a minor version only: it may not read the data of a later one"},
	{func(from, to Version, nodes int) bool {
		return nodes > 1 && to == Version{4, 4, 25} && from.Before(to)
	}, "a node of 4.4.25 cannot join an older cluster: take 4.4.26"},
}

// mayBecome says why a cluster of a number of nodes cannot change from one
// version to another, node by node; "" = it can. What cannot be read is let pass.
func mayBecome(from, to string, nodes int) string {
	a, okA := ParseVersion(from)
	b, okB := ParseVersion(to)
	if !okA || !okB || a == b {
		return ""
	}
	for _, r := range imageRules {
		if r.when(a, b, nodes) {
			return fmt.Sprintf("EMQX %s cannot become %s here: %s", from, to, r.why)
		}
	}
	return ""
}
