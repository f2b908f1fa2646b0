package observed

import (
	"time"
)

// Rehearsal is the last refusal of a node's successor.
type Rehearsal struct {
	Of  string // which node, of which generation
	At  time.Time
	Why string // "" = it would be taken
}
