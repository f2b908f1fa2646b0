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

// chooseVersion returns the newest version that both sides speak. If there is
// none it returns the agent's newest one: the server's refusal of it says more
// than the agent could.
func chooseVersion(spoken, offered []int) int {
	for _, v := range slices.Backward(spoken) {
		if slices.Contains(offered, v) {
			return v
		}
	}
	return spoken[len(spoken)-1]
}

// refuseVersion returns what a server tells an agent whose newest version it does
// not speak; nil means that it does.
func refuseVersion(asked int, spoken []int) *Refusal {
	if slices.Contains(spoken, asked) {
		return nil
	}
	todo := "The agent is too old: install the one that this server offers for download, and start it again"
	if asked > spoken[0] {
		todo = "The server is too old for this agent: update the server, or install the agent that it offers for download"
	}
	return &Refusal{Code: RefusedUnsupportedProtocol, Message: fmt.Sprintf(
		"the agent speaks version %d of the protocol at most, and this server %s. %s", asked, versionList(spoken), todo)}
}

// checkVersions returns the refusal that an agent would meet when it connects, so
// that no registration token is spent on it. A server that lists no versions is
// not judged.
func checkVersions(spoken, offered []int) error {
	if len(offered) == 0 {
		return nil
	}
	offered = slices.Sorted(slices.Values(offered))
	if r := refuseVersion(chooseVersion(spoken, offered), offered); r != nil {
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
