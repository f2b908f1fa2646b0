package ecp

import (
	"context"
	"encoding/json"
	"time"
)

// AlarmSource is a Broker that tells its alarms. What several nodes raise for
// one cause is one [Alarm].
type AlarmSource interface {
	// ActiveAlarms lists what is wrong now, the newest first. A list from which
	// alarms of a member that hangs are missing MUST NOT pass for the whole: the
	// error is unavailable and names the member.
	ActiveAlarms(ctx context.Context) ([]Alarm, error)
	// AlarmHistory lists what was wrong and is over, the newest first, as far
	// back as the broker keeps it and no more than [MostAlarms].
	AlarmHistory(ctx context.Context) ([]Alarm, error)
}

// MostAlarms is how many alarms of a history are read.
const MostAlarms = 10_000

// Alarm is one thing that is or was wrong with a cluster.
type Alarm struct {
	Name    string          `json:"name"`              // the broker's, e.g. "license_quota", "connector:http:c1"
	Message string          `json:"message"`           // the broker's words
	Details json.RawMessage `json:"details,omitempty"` // the broker's, an object; nil = none
	Nodes   []string        `json:"nodes"`             // that raised it, by name
	Since   time.Time       `json:"since,omitzero"`    // UTC, of the first of them
	Until   time.Time       `json:"until,omitzero"`    // of the last of them; zero = not over yet
}

// Active says that the cause is still there.
func (a Alarm) Active() bool { return a.Until.IsZero() }
