package emqxv4

import (
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// requirement is what a broker must be to have a call. The zero value is for the calls that
// detect what a broker is.
type requirement struct {
	what string // the feature, e.g. "evacuation of nodes"
	emqxhttp.Need
	more    string // what else may be missing if version and edition have the feature
	instead string // what to do if they do not
}

// The requirements of features that not every broker of 4.4 has. The versions come from
// EMQX's documents and change logs. A call without a version there is taken to exist from
// 4.4.0 on.
var (
	managed = since(ecp.EditionEnterprise, "4.4.6")
	// openAvailability is met if the call that reports whether a node accepts clients needs no
	// credentials.
	openAvailability = since(ecp.EditionEnterprise, "4.4.24")

	evacuation = requirement{
		what: "evacuation of nodes", Need: since(ecp.EditionEnterprise, "4.4.12"),
		more: "load the plugins on every node: `emqx_ctl plugins load emqx_eviction_agent` and `emqx_ctl " +
			"plugins load " +
			"emqx_node_rebalance`",
	}
	inviting = requirement{
		what: "call that invites nodes", Need: since(ecp.EditionEnterprise, first),
		instead: "run `emqx_ctl cluster join <a member>` on the node that is to join",
	}
	removing = requirement{
		what: "call that removes members", Need: since(ecp.EditionEnterprise, first),
		instead: "run `emqx_ctl cluster force-leave <the node>` on another member",
	}
	licensed = requirement{what: "license", Need: since(ecp.EditionEnterprise, first)}
	charts   = requirement{what: "figures over time", Need: since(ecp.EditionEnterprise, first)}
	rates    = requirement{what: "rates of messages", Need: since(ecp.EditionEnterprise, first)}

	exposition = requirement{
		what: "metrics for Prometheus", Need: since("", first),
		more: "load the plugin on every node: `emqx_ctl plugins load emqx_prometheus`",
	}
	ruleEngine = requirement{
		what: "rules", Need: since("", first),
		more: "load the plugin on every node: `emqx_ctl plugins load emqx_rule_engine`",
	}
	// always is met by every broker of 4.4.
	always = requirement{what: "call", Need: since("", first)}
)

// first is the first version of 4.4.
const first = "4.4.0"

func since(edition, version string) emqxhttp.Need {
	return emqxhttp.Need{Edition: edition, Since: []string{version}}
}

// unsupported explains what a broker of a version and edition lacks, and what is needed or
// to be done.
func (n requirement) unsupported(version, edition string) string {
	says := []string{"it has no " + n.what, "found " + emqxhttp.ProductName(version, edition)}
	switch {
	case !n.Met(version, edition):
		says = append(says, "needed "+n.String(), n.instead)
	default:
		says = append(says, n.more)
	}
	return strings.TrimRight(strings.Join(says, "; "), "; ")
}
