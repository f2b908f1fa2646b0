package main

import (
	"slices"
	"strings"
)

// testedPackage holds what a package's tests print until it is known which of
// them failed.
type testedPackage struct {
	name   string
	output []output          // in the order of printing
	ended  map[string]string // by test: pass, fail or skip
}

// output is one piece of output: usually a line, a part of one if it is long.
type output struct {
	test string // empty: printed outside of tests
	text string
}

// say adds output. What arrives after its test has passed is not of that test
// (a goroutine that panics, a leak): it counts as outside of tests.
func (p *testedPackage) say(test, text string) {
	if a := p.ended[test]; a == "pass" || a == "skip" {
		test = ""
	}
	p.output = append(p.output, output{test, text})
}

// end records how a test ended. The output of one that did not fail is of no
// further use, and there are thousands of them.
func (p *testedPackage) end(test, action string) {
	p.ended[test] = action
	if action != "fail" {
		p.output = slices.DeleteFunc(p.output, func(o output) bool { return o.test == test })
	}
}

// outputOfFailure returns the output of the tests that failed or never ended,
// and what was printed outside of tests, without go test's marks of who prints.
func (p *testedPackage) outputOfFailure() []output {
	return slices.DeleteFunc(slices.Clone(p.output), func(o output) bool { return strings.HasPrefix(o.text, "=== ") })
}

// linesOf returns the lines of one test, or those outside of tests for "",
// without go test's own.
func (p *testedPackage) linesOf(test string) []string {
	var text strings.Builder
	for _, o := range p.output {
		if o.test == test && !isMark(o.text) {
			text.WriteString(o.text)
		}
	}
	if text.Len() == 0 {
		return nil
	}
	return strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
}

// marks begin the lines that tell which test prints, and how one ended.
var marks = []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME ", "--- PASS: ", "--- FAIL: ", "--- SKIP: "}

// isMark reports whether a line is one that go test prints itself, of a test
// or of the package.
func isMark(line string) bool {
	line = strings.TrimSpace(line)
	return line == "PASS" || line == "FAIL" ||
		slices.ContainsFunc(marks, func(mark string) bool { return strings.HasPrefix(line, mark) })
}

// digests returns one digest for each test that failed, in the order in which
// they began, and one more of the output outside of tests if no test failed:
// then that is where the cause is.
func (p *testedPackage) digests() []digest {
	var out []digest
	for _, test := range p.failedTests() {
		out = append(out, digest{p.name + "." + test, cause(p.linesOf(test))})
	}
	if lines := p.linesOf(""); len(out) == 0 && len(lines) > 0 {
		out = append(out, digest{p.name + ", outside of tests", cause(lines)})
	}
	return out
}

// failedTests returns the tests to name: those that printed a cause. A test that
// printed nothing failed because of its subtests, or waited when another ended the
// process; it is named only if nobody else can be.
func (p *testedPackage) failedTests() []string {
	var spoke, silent []string
	for _, o := range p.output {
		if o.test == "" || slices.Contains(spoke, o.test) || slices.Contains(silent, o.test) {
			continue
		}
		if len(p.linesOf(o.test)) > 0 {
			spoke = append(spoke, o.test)
		} else {
			silent = append(silent, o.test)
		}
	}
	if len(spoke) > 0 {
		return spoke
	}
	return slices.DeleteFunc(silent, func(test string) bool { return p.ended[test] != "fail" })
}
