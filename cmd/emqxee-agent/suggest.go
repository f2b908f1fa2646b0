package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError tells which flag was meant where one is not known, and what a flag takes
// where its value does not fit.
func flagError(cmd *cobra.Command, err error) error {
	next := cmd.CommandPath() + " --help lists the flags."
	var wrong *pflag.InvalidValueError
	if errors.As(err, &wrong) {
		return fail(exitUsage, next, "--%s is %q: %w", wrong.GetFlag().Name, wrong.GetValue(), errors.Unwrap(wrong))
	}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if near := nearest(unknown.GetSpecifiedName(), names); near != "" &&
			len(unknown.GetSpecifiedShortnames()) == 0 {
			next = "Is --" + near + " meant? " + next
		}
	}
	return &failure{exitUsage, err, next}
}

// unknownCommand is the error for a command that is not known. What stands in its
// place is repeated: no secret comes first.
func unknownCommand(root *cobra.Command, name string) error {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	next := root.Name() + " --help lists the commands."
	if near := nearest(name, names); near != "" {
		next = "Is " + root.Name() + " " + near + " meant? " + next
	}
	return fail(exitUsage, next, "there is no command %q", name)
}

// nearest returns the name that is like another one: with few letters changed, or
// with more or less at its ends. An empty text means that none is.
func nearest(given string, names []string) (near string) {
	given = strings.ToLower(given)
	best := 1 + len(given)/3 // more letters changed make another word
	for _, name := range names {
		d := distance(given, name)
		if len(given) > 2 && (strings.HasPrefix(name, given) || strings.HasSuffix(name, "-"+given)) {
			d = 0
		}
		if d < best || d == best && near == "" {
			near, best = name, d
		}
	}
	return near
}

// distance is how many letters have to be added, removed, changed or swapped with
// their neighbour to make one text of another.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
