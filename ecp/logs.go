package ecp

import (
	"context"
	"iter"
	"time"

	"github.com/openecp/openecp/internal/emqxlog"
)

// LogLevel is how severe a line of a log is.
type LogLevel string

// LogLevels lists EMQX' levels, the least severe first.
func LogLevels() []LogLevel {
	var out []LogLevel
	for _, l := range emqxlog.Levels() {
		out = append(out, LogLevel(l))
	}
	return out
}

// MaxLogLimit is the largest Limit of a [LogQuery].
const MaxLogLimit = 10_000

// LogQuery says what of a cluster's logs is wanted. The zero value is the
// newest lines of all nodes.
type LogQuery struct {
	Node  string   // by its EMQX name; "" = all
	Level LogLevel // the least severe; "" = every line, also those without a level
	Query string   // stands in the line, whatever the case; "" = anything
	Since time.Time
	Until time.Time // not with Follow
	Limit int       // lines of history; 0 = 500; at most [MaxLogLimit]
	// Follow goes on with what is written after the history until ctx ends.
	Follow bool
}

// LogLine is one entry of a node's log, with the lines that belong to it.
type LogLine struct {
	// At is UTC: when it was written where the line says so with its zone, else
	// when the platform took it up, or as the agent's host has it.
	At      time.Time
	Node    string
	Level   LogLevel          // "" = none, as of what is printed at a start
	Message string            // without what is told by the other fields
	Fields  map[string]string // a reading of the line, such as clientid and peername; nil = none
	Raw     string            // as EMQX wrote it; may have several lines
	Cut     bool              // it was longer than 64 KiB
	// Gap says that lines of the node are missing here, and why; nothing but
	// At and Node is then set beside it.
	Gap string

	Mark string // where reading goes on behind it; empty where lines have no marks
}

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
