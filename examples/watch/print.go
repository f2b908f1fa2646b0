package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// change is the data of an event.
type change struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	Key     string    `json:"key"`
	State   string    `json:"state"`
	Deleted bool      `json:"deleted"`
	Object  object    `json:"object"`
}

// object is the record of a change as far as it is printed: a cluster, an
// operation, or something of the catalogues.
type object struct {
	Name   string `json:"name"`
	Status status `json:"status"`

	Cluster string `json:"cluster"`
	Kind    string `json:"kind"`
	Error   string `json:"error"`
	Steps   []struct {
		Name        string `json:"name"`
		Done, Total int
	} `json:"steps"`
}

type status struct {
	State   string `json:"state"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Stale   bool   `json:"stale"`
}

// cluster is one of the list.
type cluster struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status status `json:"status"`
}

// printer writes lines of the same columns: time, number, kind, key, state, and
// what is worth saying beside.
type printer struct{ out io.Writer }

func (p printer) line(at, seq, kind, key, state, detail string) error {
	_, err := fmt.Fprintln(p.out, strings.TrimRight(fmt.Sprintf("%-20s %6s %-9s %-19s %-11s %s", at, seq, kind, key,
		state, detail), " "))
	return err
}

// present prints a cluster as it was found.
func (p printer) present(c cluster) error {
	return p.line("(now)", "", "cluster", c.ID, c.Status.State, clusterDetail(c.Name, c.Status))
}

// change prints a change.
func (p printer) change(c change) error {
	state := c.State
	if c.Deleted {
		state = "deleted"
	}
	return p.line(c.At.UTC().Format(time.RFC3339), fmt.Sprint(c.Seq), c.Kind, c.Key, state, detail(c))
}

func detail(c change) string {
	switch c.Kind {
	case "cluster":
		return clusterDetail(c.Object.Name, c.Object.Status)
	case "operation":
		parts := []string{c.Object.Kind + " of " + c.Object.Cluster}
		for _, s := range c.Object.Steps {
			if s.Total > 0 {
				parts = append(parts, fmt.Sprintf("%s %d/%d", s.Name, s.Done, s.Total))
			}
		}
		if c.Object.Error != "" {
			parts = append(parts, printable(c.Object.Error))
		}
		return strings.Join(parts, ", ")
	}
	return ""
}

func clusterDetail(name string, s status) string {
	parts := []string{printable(name)}
	if s.Stale {
		parts = append(parts, "not seen at present")
	}
	if s.Message != "" {
		parts = append(parts, s.Reason+": "+printable(s.Message))
	}
	return strings.Join(parts, ", ")
}

// printable keeps what others wrote on one line, and off the terminal's controls.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
