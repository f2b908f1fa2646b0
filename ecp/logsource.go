package ecp

import (
	"strings"
)

// collectLogs is the command that lets an agent read logs.
const collectLogs = "emqxee-agent register --emqx-log-collection-enabled"

// LogsOf says why the logs of a cluster cannot be read.
func LogsOf(mode Mode, _ Version, c Capabilities) string {
	switch {
	case mode == Hosted, c.Logs:
		return ""
	case !c.Agent:
		return c.WithoutAgent(NeedsAgent)
	case c.LogFault != "":
		return "the agent cannot read EMQX's log files: " + strings.TrimSuffix(c.LogFault, ".")
	case !c.Reported:
		return NotReported
	}
	return "log collection is not enabled at its agents: run `" + collectLogs + "` on their hosts"
}
