package observed

import (
	"time"
)

// SettingsAsked is when that was last done, and for what.
type SettingsAsked struct {
	At   time.Time // by the monotonic clock
	Pods string
	Rev  int64
}
