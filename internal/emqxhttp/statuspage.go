package emqxhttp

import (
	"regexp"
	"strings"
)

// StatusPath is the path of a page that needs no credentials and reports whether the node is
// up.
const StatusPath = "/status"

var nodeLine = regexp.MustCompile(`(?m)^Node (\S+) is (\S+)`)

// StatusPage reads the text of /status, which is the same for both majors, into the node's
// name and whether EMQX runs on it. ok is false if it is another text.
//
//	Node emqx@10.0.0.1 is started
//	emqx is running
func StatusPage(text string) (node string, running, ok bool) {
	m := nodeLine.FindStringSubmatch(text)
	if m == nil {
		return "", false, false
	}
	_, state, ok := strings.Cut(text, "emqx is ")
	return m[1], m[2] == "started" && strings.TrimSpace(state) == "running", ok
}
