package ecp

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
)

// sortedKeys gives a map's keys in order, so that texts and writes come out
// the same every time.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func itoa(n int) string { return strconv.Itoa(n) }
