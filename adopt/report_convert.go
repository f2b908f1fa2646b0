package adopt

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// Limits of what is kept of a report. A report is untrusted input: anyone who has
// an agent's key can send any content.
const (
	maxMembers     = 1000
	maxErrors      = 10
	maxName        = 255 // bytes of a node's name
	maxWord        = 64  // bytes of a version, a role and the like
	maxMessage     = 500 // bytes of a text for people
	maxConnections = 1_000_000_000
	maxUptime      = 100 * 365 * 24 * time.Hour
)

// convert makes an observation of a report that was received at a moment of our
// clock: units of the Manager, sizes bounded, nothing that cannot be printed.
func convert(r agentproto.Report, at time.Time) ecp.AgentReport {
	out := ecp.AgentReport{
		At: at, Node: nodeName(r.Node),
		Description: ecp.Description{
			Version: text(r.Version, maxWord), Edition: edition(r.Edition),
			Nodes: members(r.Members), Connections: count(r.Connections), Limit: count(r.Limit),
		},
		LimitCall: r.LimitCall, LicenseType: count(r.LicenseType), Dashboard: r.Dashboard, Logs: text(r.Logs, maxName),
	}
	for _, e := range r.Errors[:min(len(r.Errors), maxErrors)] {
		out.Errors = append(out.Errors, ecp.AgentError{Stage: text(string(e.Stage), maxWord),
			Code: text(string(e.Code), maxWord), Message: text(e.Message, maxMessage)})
	}
	return out
}

// members are by name, each once; those whose name cannot be one are left out.
func members(all []agentproto.Member) []ecp.BrokerNode {
	var out []ecp.BrokerNode
	for _, m := range all[:min(len(all), maxMembers)] {
		name := nodeName(m.Name)
		if name == "" {
			continue
		}
		out = append(out, ecp.BrokerNode{
			Name: name, Status: status(m.Status), Role: text(m.Role, maxWord), Version: text(m.Version, maxWord),
			Uptime: uptime(m.UptimeMS), Connections: count(m.Connections),
		})
	}
	slices.SortStableFunc(out, func(a, b ecp.BrokerNode) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b ecp.BrokerNode) bool { return a.Name == b.Name })
}

// nodeName returns a name as Erlang nodes have them, "emqx@host"; empty where it
// cannot be one.
func nodeName(s string) string {
	name, host, ok := strings.Cut(s, "@")
	if !ok || name == "" || host == "" || len(s) > maxName || strings.ContainsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsPrint(r) || unicode.IsSpace(r)
	}) {
		return ""
	}
	return s
}

func status(s agentproto.MemberStatus) ecp.NodeStatus {
	switch s {
	case agentproto.MemberRunning:
		return ecp.NodeRunning
	case agentproto.MemberStopped:
		return ecp.NodeStopped
	case agentproto.MemberUnknown:
	}
	return ecp.NodeUnknown
}

func edition(s string) string {
	if s == ecp.EditionEnterprise || s == ecp.EditionOpenSource {
		return s
	}
	return ""
}

func count(n int) int { return min(max(n, 0), maxConnections) }

func uptime(ms int64) time.Duration {
	return time.Duration(min(max(ms, 0), int64(maxUptime/time.Millisecond))) * time.Millisecond
}

// text is one printable line of at most that many bytes.
func text(s string, most int) string {
	if len(s) > 4*most { // whatever is cut off is not looked at either
		s = s[:4*most]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= most {
		return s
	}
	cut := most - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
