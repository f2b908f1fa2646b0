package ecp

import (
	"context"
	"iter"
	"time"
)

// LogLink is a [Link] that leads to the log files beside agents, too.
type LogLink interface {
	Link
	// Read returns what an agent of the cluster reads of the log files beside it. The
	// first element tells that the log was opened (see [AgentLogLine].Passed). It MUST
	// ask for no more than is taken. The sequence ends without an error when ctx ends,
	// and where nothing is followed with the log; every other end is an error, after
	// which reading can go on behind the last mark. Unavailable says that it may work
	// later, unsupported that a person has to do something.
	Logs(ctx context.Context, id ID, agent AgentID, q AgentLogQuery) iter.Seq2[AgentLogLine, error]
}

// AgentLogQuery says what of an agent's log files is wanted. The zero value is all that
// there is. An agent may look for the beginning of a long Text only.
type AgentLogQuery struct {
	After  string    // mark of the last line that was read; empty = from the beginning
	Since  time.Time // what is not older
	Until  time.Time // what is older; zero = anything
	Tail   int       // the last so many lines or entries that are wanted; 0 = all
	Level  LogLevel  // the least severe; empty = anything
	Text   string    // stands in the entry, whatever the case; empty = anything
	Follow bool      // go on with what is written
}

// AgentLogLine is one line of an agent's log files, or several that belong together. It
// is untrusted: anyone who has an agent's key can send any content.
type AgentLogLine struct {
	At   time.Time // when it was written, as the agent knows it; zero = unknown
	Text string    // at most 64 KiB
	Mark string    // where reading goes on behind it
	Cut  bool      // it was longer
	Gap  string    // lines are missing here, for this reason; there is no text then
	// Passed says that this is no line: the log was read up to the mark, and nothing of
	// it was wanted.
	Passed bool
}
