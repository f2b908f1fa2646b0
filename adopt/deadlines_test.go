package adopt

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestDeadlines holds the heap against a plain map.
func TestDeadlines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, model := newDeadlines[int](), map[int]time.Time{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			at := time.Unix(int64(rapid.IntRange(1, 20).Draw(t, "at")), 0)
			key := rapid.IntRange(0, 5).Draw(t, "key")
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				d.set(key, at)
				model[key] = at
			case 2:
				d.set(key, time.Time{})
				delete(model, key)
			case 3:
				var want []int
				for k, when := range model {
					if !when.After(at) {
						want = append(want, k)
					}
				}
				require.ElementsMatch(t, want, d.passed(at))
				maps.DeleteFunc(model, func(_ int, when time.Time) bool { return !when.After(at) })
			}
			var next time.Time
			if len(model) > 0 {
				next = slices.MinFunc(slices.Collect(maps.Values(model)), time.Time.Compare)
			}
			require.Equal(t, next, d.next())
		}
	})
}
