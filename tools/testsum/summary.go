package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// summary collects the events of one run of go test.
type summary struct {
	out     io.Writer
	said    map[string][]string // of a package: what it printed
	skips   map[string][]string // of a test, "package.Test": what it printed
	skipped []string            // one line for each skipped test
	results []string            // go test's own line for each package
	failed  bool
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, said: map[string][]string{}, skips: map[string][]string{}}
}

func (s *summary) event(e event) {
	test := e.Package + "." + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "build-fail":
		s.failed = true
	case "output":
		if e.Test == "" && isResult(e.Output) {
			s.results = append(s.results, strings.TrimRight(e.Output, "\n"))
			return
		}
		s.said[e.Package] = append(s.said[e.Package], e.Output)
		if e.Test != "" {
			s.skips[test] = append(s.skips[test], e.Output)
		}
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.packageEnd(e)
			return
		}
		if e.Action == "skip" {
			s.skipped = append(s.skipped, test+": "+reason(s.skips[test]))
		}
		delete(s.skips, test)
	}
}

// isResult says whether a line is the one go test prints of a package. A
// package without tests is nothing to report.
func isResult(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t")
}

// packageEnd prints the package's line, above it everything the package said
// if it failed.
func (s *summary) packageEnd(e event) {
	if e.Action == "fail" {
		s.failed = true
		for _, line := range s.said[e.Package] {
			fmt.Fprint(s.out, line)
		}
		if !slices.ContainsFunc(s.results, func(l string) bool { return isOf(l, e.Package) }) {
			s.results = append(s.results, fmt.Sprintf("FAIL\t%s\t%.3fs", e.Package, e.Elapsed))
		}
	}
	delete(s.said, e.Package)
	for _, line := range s.results {
		if isOf(line, e.Package) {
			fmt.Fprintln(s.out, line)
		}
	}
}

// isOf says whether a result line is of the package.
func isOf(line, pkg string) bool {
	fields := strings.Fields(line)
	return len(fields) > 1 && fields[1] == pkg
}

// reason gives what a test said when it skipped, without go test's own lines.
func reason(said []string) string {
	var out []string
	for _, line := range said {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		out = append(out, line)
	}
	if len(out) == 0 {
		return "no reason given"
	}
	return strings.Join(out, " ")
}

// end prints what was skipped and all results once more, and says whether
// everything passed.
func (s *summary) end() bool {
	if len(s.results) == 0 {
		fmt.Fprintln(s.out, "FAIL\tno package was tested")
		return false
	}
	fmt.Fprintln(s.out)
	if len(s.skipped) > 0 {
		fmt.Fprintf(s.out, "%d skipped:\n", len(s.skipped))
		for _, line := range s.skipped {
			fmt.Fprintln(s.out, "    "+line)
		}
		fmt.Fprintln(s.out)
	}
	slices.SortStableFunc(s.results, func(a, b string) int { return strings.Compare(b[:2], a[:2]) }) // ok above FAIL
	for _, line := range s.results {
		fmt.Fprintln(s.out, line)
	}
	if s.failed {
		fmt.Fprintln(s.out, "FAIL")
	}
	return !s.failed
}
