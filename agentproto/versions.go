package agentproto

import (
	"fmt"
	"slices"
	"strconv"
)

// protocolVersions are the versions that this package speaks, oldest first: the
// newest and the two before it. What they differ in, and since when there is
// each, stands in spec.md. The handshake is the same for all of them and only
// ever gains fields.
var protocolVersions = []int{1}

// spoken returns the given versions or, if there are none, protocolVersions.
func spoken(versions []int) []int {
	if len(versions) == 0 {
		return protocolVersions
	}
	return versions
}

// chooseVersion returns the newest version that both sides support. If there is none, it
// returns the agent's newest one: the server's refusal explains more than the agent could.
func chooseVersion(mine, offered []int) int {
	for _, v := range slices.Backward(mine) {
		if slices.Contains(offered, v) {
			return v
		}
	}
	return mine[len(mine)-1]
}

// refuseVersion returns the refusal for a version that the server does not support,
// otherwise nil.
func refuseVersion(asked int, mine []int) *Refusal {
	if slices.Contains(mine, asked) {
		return nil
	}
	todo := "The agent is too old: install the one that this server offers for download, and start it again"
	if asked > mine[0] {
		todo = "The server is too old for this agent: update the server, or install the agent that it offers for " +
			"download"
	}
	return &Refusal{Code: RefusedUnsupportedProtocol, Message: fmt.Sprintf(
		"the agent speaks version %d of the protocol at most, and this server %s. %s", asked, versionList(mine), todo)}
}

// checkVersions returns the refusal that an agent would get when it connects, so that it
// does not spend a registration token. It accepts a server that lists no versions.
func checkVersions(mine, offered []int) error {
	if len(offered) == 0 {
		return nil
	}
	offered = slices.Sorted(slices.Values(offered))
	if r := refuseVersion(chooseVersion(mine, offered), offered); r != nil {
		return r
	}
	return nil
}

func versionList(versions []int) string {
	if len(versions) == 1 {
		return "version " + strconv.Itoa(versions[0])
	}
	return fmt.Sprintf("versions %d to %d", versions[0], versions[len(versions)-1])
}
