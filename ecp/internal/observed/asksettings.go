package observed

import (
	"time"
)

// SettingsCheck is when that was last done, and for what.
type SettingsCheck struct {
	At   time.Time // by the monotonic clock
	Pods string
	Rev  int64
}
