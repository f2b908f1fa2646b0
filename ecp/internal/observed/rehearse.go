package observed

import (
	"time"
)

// DryRun is the last refusal of a node's successor.
type DryRun struct {
	Of  string // which node, of which generation
	At  time.Time
	Why string // "" = it would be taken
}
