// Package timekey makes keys of records that sort by time.
package timekey

import (
	"fmt"
	"math"
	"time"
)

// NewestFirst returns 16 characters that sort before those of every earlier time. A
// time before 1970 or after 2262 counts as the nearest in between.
func NewestFirst(at time.Time) string {
	switch first, last := time.Unix(0, 0), time.Unix(0, math.MaxInt64); {
	case at.Before(first):
		at = first
	case at.After(last):
		at = last
	}
	return fmt.Sprintf("%016x", math.MaxInt64-at.UnixNano())
}
