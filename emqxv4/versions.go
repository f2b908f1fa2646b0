package emqxv4

import (
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// need is what a broker has that takes a call. The zero value is that of calls
// by which it is learned what the broker is.
type need struct {
	what string // in words, e.g. "evacuation of nodes"
	emqxhttp.Need
	more    string // what else may be missing where version and edition have it
	instead string // what to do where they have not
}

// Everything of 4.4 that not every broker has: this is the only place that
// knows. Versions are those of EMQX's documents and change logs; where they
// name none the call is taken to be there from the start of the line.
var (
	managed = since(ecp.EditionEnterprise, "4.4.6")
	// openAvailability is from where on everybody is told whether a node takes
	// clients.
	openAvailability = since(ecp.EditionEnterprise, "4.4.24")

	evacuation = need{
		what: "evacuation of nodes", Need: since(ecp.EditionEnterprise, "4.4.12"),
		more: "load the plugins on every node: `emqx_ctl plugins load emqx_eviction_agent` and `emqx_ctl plugins load emqx_node_rebalance`",
	}
	inviting = need{
		what: "call that invites nodes", Need: since(ecp.EditionEnterprise, first),
		instead: "run `emqx_ctl cluster join <a member>` on the node that is to join",
	}
	removing = need{
		what: "call that removes members", Need: since(ecp.EditionEnterprise, first),
		instead: "run `emqx_ctl cluster force-leave <the node>` on another member",
	}
	licensed = need{what: "licence", Need: since(ecp.EditionEnterprise, first)}
	charts   = need{what: "figures over time", Need: since(ecp.EditionEnterprise, first)}
	rates    = need{what: "rates of messages", Need: since(ecp.EditionEnterprise, first)}

	exposition = need{
		what: "metrics for Prometheus", Need: since("", first),
		more: "load the plugin on every node: `emqx_ctl plugins load emqx_prometheus`",
	}
	ruleEngine = need{
		what: "rules", Need: since("", first),
		more: "load the plugin on every node: `emqx_ctl plugins load emqx_rule_engine`",
	}
	// always is what every broker of 4.4 has.
	always = need{what: "call", Need: since("", first)}
)

// first is the version with which the line begins.
const first = "4.4.0"

func since(edition, version string) emqxhttp.Need {
	return emqxhttp.Need{Edition: edition, Since: []string{version}}
}

// unsupported says what a broker of a version and edition lacks, and what is
// needed or to be done.
func (n need) unsupported(version, edition string) string {
	says := []string{"it has no " + n.what, "found " + emqxhttp.Named(version, edition)}
	switch {
	case !n.Met(version, edition):
		says = append(says, "needed "+n.String(), n.instead)
	default:
		says = append(says, n.more)
	}
	return strings.TrimRight(strings.Join(says, "; "), "; ")
}
