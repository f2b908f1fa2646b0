package main

import (
	"fmt"
	"io"
	"strings"
)

// A log that is cut to its last lines must still name the cause: so much of the
// failed tests is printed at the very end, and no more.
const (
	digestLines  = 60 // of all failed tests together
	linesPerTest = 15 // of one test, under its name
)

// digest is the short form of one failure.
type digest struct {
	name  string
	lines []string // from where the cause is printed on
}

// printDigests prints the names of the failed tests and the first lines of
// each cause. The more have failed, the fewer lines each of them gets.
func printDigests(out io.Writer, all []digest) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%d failed:\n", len(all))
	named := all[:min(len(all), digestLines)]
	each := min(linesPerTest, digestLines/len(named)-1)
	for _, d := range named {
		fmt.Fprintln(out, "    "+d.name)
		for _, line := range d.lines[:min(len(d.lines), each)] {
			fmt.Fprintln(out, "        "+line)
		}
	}
	if more := len(all) - len(named); more > 0 {
		fmt.Fprintf(out, "    and %d more\n", more)
	}
	fmt.Fprintln(out)
}

// causes are what a line holds where the reason of a failure begins. A test may
// have logged a lot before.
var causes = []string{"Error Trace:", "panic: ", "fatal error: ", "WARNING: DATA RACE", "found unexpected goroutines"}

// cause returns the lines from where the reason begins, or all of them if no
// line is known to begin one.
func cause(lines []string) []string {
	for i, line := range lines {
		for _, c := range causes {
			if !strings.Contains(line, c) {
				continue
			}
			if i > 0 && strings.HasSuffix(strings.TrimSpace(lines[i-1]), ":") { // the file and line of an assertion
				i--
			}
			return lines[i:]
		}
	}
	return lines
}
