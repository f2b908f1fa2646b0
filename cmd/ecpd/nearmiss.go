package main

import "strings"

// nearest returns the one of names that a mistyped name was most likely meant to be: it
// is the same but for case and punctuation, or for a few letters. The result is empty
// if none is near enough.
func nearest(name string, names []string) string {
	best, least := "", 1+len(name)/4
	for _, n := range names {
		if d := distance(plain(name), plain(n)); d < least || d == least && best == "" {
			best, least = n, d
		}
	}
	return best
}

// plain removes case and punctuation, so that data-dir, data_dir and dataDir are equal.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_. ", r) {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// distance is the number of letters to insert, remove or replace to get from one text
// to the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0] // of the row above, one to the left
		row[0] = i + 1
		for j := range len(b) {
			cost := left
			if a[i] != b[j] {
				cost = 1 + min(left, row[j], row[j+1])
			}
			left, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
