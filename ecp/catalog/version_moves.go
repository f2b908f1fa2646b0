package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// versionMoves lists for each minor version the later ones that a cluster of it can become
// node by node. EMQX's documents are the source: the matrix "Rolling Upgrade Paths Since 5.0"
// in README.md of github.com/emqx/emqx (as of 2026-08), which is also on
// docs.emqx.com/en/emqx/latest/get-started/deploy/rolling-upgrades.html. The matrix has no
// way back. Another patch of the same minor version is allowed in both directions.
var versionMoves = map[string]string{
	"5.6":  "5.7 5.8 5.9 5.10",
	"5.7":  "5.8 5.9 5.10",
	"5.8":  "5.9 5.10 6.0 6.1 6.2 6.3",
	"5.9":  "5.10 6.0 6.1 6.2 6.3",
	"5.10": "6.0 6.1 6.2 6.3",
	"6.0":  "6.1 6.2 6.3",
	"6.1":  "6.2 6.3",
	"6.2":  "6.3",
}

// moveRule refuses some changes of version; the first whose when holds says why.
type moveRule struct {
	when func(from, to ecp.Version, nodes int) bool
	why  string
}

var moveRules = []moveRule{
	{func(from, to ecp.Version, _ int) bool { return from.Major == 4 && to.Major > 4 },
		"EMQX 4 cannot become EMQX 5 or 6: make a new cluster and migrate its data"},
	{func(from, to ecp.Version, _ int) bool { return to.Major < from.Major },
		"EMQX does not go back to an earlier major version"},
	{func(from, to ecp.Version, _ int) bool { return to.Major == from.Major && to.Minor < from.Minor },
		"EMQX goes back within a minor version only: it may not read the data of a later one"},
	{func(from, to ecp.Version, _ int) bool { return to.Major == 6 && from.Before(version(5, 8, 0)) },
		"the way to EMQX 6 begins at 5.8.0: change to 5.8, 5.9 or 5.10 first"},
	// Note 3 of the matrix: 5.8.7 came after 5.9.0 and 5.10.0 and has a setting that they do
	// not know (headers of OpenTelemetry), which stops their boot.
	{func(from, to ecp.Version, _ int) bool {
		return from.Minor == 8 && !from.Before(version(5, 8, 7)) && (to == version(5, 9, 0) || to == version(5, 10, 0))
	}, "EMQX 5.8.7 and later have settings that 5.9.0 and 5.10.0 do not know: take 5.9.1, 5.10.1 or later"},
	// "Known Issues in EMQX 6.0" (docs.emqx.com/en/emqx/latest/changes/known-issues-6.0.html):
	// 6.0.0 fails to take over the configuration of a cluster that has bridges.
	{func(from, to ecp.Version, _ int) bool { return from.Major == 5 && to == version(6, 0, 0) },
		"EMQX 6.0.0 does not take over the bridges of a cluster of 5.x: take 6.0.1 or later"},
	// Release notes of 4.4.26.
	{func(from, to ecp.Version, nodes int) bool {
		return nodes > 1 && to == version(4, 4, 25) && from.Before(to)
	}, "a node of 4.4.25 cannot join an older cluster: take 4.4.26"},
	{func(from, to ecp.Version, _ int) bool {
		return minor(from) != minor(to) && !slices.Contains(strings.Fields(versionMoves[minor(from)]), minor(to))
	}, "EMQX's list of rolling upgrades, as it is known here, does not have it"},
}

func version(major, minor, patch int) ecp.Version {
	return ecp.Version{Major: major, Minor: minor, Patch: patch}
}

func minor(v ecp.Version) string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// MayBecome returns why a cluster of a number of nodes cannot change from one version to
// another, node by node. It is empty where the cluster can, and where a version cannot be
// read.
func MayBecome(from, to string, nodes int) string {
	a, okA := ecp.ParseVersion(from)
	b, okB := ecp.ParseVersion(to)
	if !okA || !okB || a == b {
		return ""
	}
	for _, r := range moveRules {
		if r.when(a, b, nodes) {
			return fmt.Sprintf("EMQX %s cannot become %s here: %s", from, to, r.why)
		}
	}
	return ""
}
