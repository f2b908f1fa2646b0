package ecp

import (
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

// How many lines of history are given, unless asked otherwise and at most.
const (
	DefaultLogLimit = 500
	MaxLogLimit     = 10_000
)

// LogQuery says what of a cluster's logs is wanted. The zero value is the
// newest lines of all nodes.
type LogQuery struct {
	Node  string   // by its EMQX name; "" = all
	Level LogLevel // the least severe; "" = every line, also those without a level
	Query string   // stands in the line, whatever the case; "" = anything
	Since time.Time
	Until time.Time // not with Follow
	Limit int       // lines of history; 0 = DefaultLogLimit
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
