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
	running map[string]*testedPackage // by name, from its first event to its last
	digests []digest                  // of failed tests, in the order in which their packages ended
	skipped []string                  // one line for each skipped test
	results []string                  // go test's own line for each package
	failed  bool
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, running: map[string]*testedPackage{}}
}

func (s *summary) event(e event) {
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
		s.of(e.Package).say(e.Test, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.packageEnd(e)
			return
		}
		if e.Action == "skip" {
			s.skipped = append(s.skipped, e.Package+"."+e.Test+": "+reason(s.of(e.Package).linesOf(e.Test)))
		}
		s.of(e.Package).end(e.Test, e.Action)
	}
}

// of returns what is known of a package that has not ended.
func (s *summary) of(pkg string) *testedPackage {
	p := s.running[pkg]
	if p == nil {
		p = &testedPackage{name: pkg, ended: map[string]string{}}
		s.running[pkg] = p
	}
	return p
}

// isResult reports whether a line is the one go test prints of a package. A
// package without tests is nothing to report.
func isResult(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t")
}

// packageEnd prints the package's line. If the package failed, the output of
// its failed tests, and what was printed outside of tests, stands above it.
func (s *summary) packageEnd(e event) {
	if e.Action == "fail" {
		s.failed = true
		p := s.of(e.Package)
		for _, o := range p.outputOfFailure() {
			fmt.Fprint(s.out, o.text)
		}
		s.digests = append(s.digests, p.digests()...)
		if !slices.ContainsFunc(s.results, func(l string) bool { return isOf(l, e.Package) }) {
			s.results = append(s.results, fmt.Sprintf("FAIL\t%s\t%.3fs", e.Package, e.Elapsed))
		}
	}
	delete(s.running, e.Package)
	for _, line := range s.results {
		if isOf(line, e.Package) {
			fmt.Fprintln(s.out, line)
		}
	}
}

// isOf reports whether a result line is of the package.
func isOf(line, pkg string) bool {
	fields := strings.Fields(line)
	return len(fields) > 1 && fields[1] == pkg
}

// reason joins what a test printed before it skipped.
func reason(lines []string) string {
	var out []string
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	if len(out) == 0 {
		return "no reason given"
	}
	return strings.Join(out, " ")
}

// end prints the tests that were skipped, all results once more, and between
// the packages that passed and those that failed the digests of the failed
// tests: whoever sees only the last lines of a log sees the cause, too. It
// reports whether everything passed.
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
	passed := func(line string) bool { return !strings.HasPrefix(line, "FAIL\t") }
	s.printResults(passed)
	printDigests(s.out, s.digests)
	s.printResults(func(line string) bool { return !passed(line) })
	if s.failed {
		fmt.Fprintln(s.out, "FAIL")
	}
	return !s.failed
}

func (s *summary) printResults(wanted func(string) bool) {
	for _, line := range s.results {
		if wanted(line) {
			fmt.Fprintln(s.out, line)
		}
	}
}
