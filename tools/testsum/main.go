// Command testsum reads the output of go test -json and prints what a person
// wants of it: one line for each package as it ends, under the output of the
// tests that failed in it; the names and reasons of the tests that were skipped;
// and last go test's own lines once more, with a short form of each failure
// above them. Its exit code is 1 if anything failed or the input held no result
// at all, so that a run that never began is not green.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	ok, err := run(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum: read the output of go test -json:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run prints the summary of in to out and reports whether everything passed.
func run(in io.Reader, out io.Writer) (bool, error) {
	s := newSummary(out)
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
		}
		if errors.Is(err, io.EOF) {
			return s.end(), nil
		}
		if err != nil {
			return false, err
		}
	}
}

// event is a line of go test -json, see go doc test2json.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build that failed
	Test       string
	Output     string
	Elapsed    float64
}

// line takes one line of the input. What is not an event is passed on: it is
// something the go command wanted to be read.
func (s *summary) line(b []byte) {
	var e event
	if json.Unmarshal(b, &e) != nil || e.Action == "" {
		fmt.Fprintf(s.out, "%s", b)
		return
	}
	s.event(e)
}
