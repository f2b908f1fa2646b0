package emqxlog

import "slices"

// Level is how severe an entry is; "" = it does not say.
type Level string

// The levels of Erlang's logger, which are those of syslog.
const (
	Debug     Level = "debug"
	Info      Level = "info"
	Notice    Level = "notice"
	Warning   Level = "warning"
	Error     Level = "error"
	Critical  Level = "critical"
	Alert     Level = "alert"
	Emergency Level = "emergency"
)

var levels = []Level{Debug, Info, Notice, Warning, Error, Critical, Alert, Emergency}

// Levels lists the levels, the least severe first.
func Levels() []Level { return slices.Clone(levels) }

// Valid says whether l is one of the levels.
func (l Level) Valid() bool { return slices.Contains(levels, l) }

// AtLeast says whether l is as severe as least, or more. Every entry is where
// least is ""; one without a level is nowhere else.
func (l Level) AtLeast(least Level) bool {
	return least == "" || slices.Index(levels, l) >= slices.Index(levels, least)
}
