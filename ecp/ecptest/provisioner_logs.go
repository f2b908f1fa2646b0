package ecptest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// logCases: [ecp.LogReader].
var logCases = []provisionerCase{
	{name: "Logs gives what every node wrote", test: logsOfNodes},
	{name: "Logs follows until its context ends", test: logsFollow},
	{
		name:  "Logs ends with its node",
		hook:  "DeletePod",
		given: func(s ProvisionerSuite) bool { return s.DeletePod != nil },
		test:  logsEnd,
	},
}

// logReader returns the interface, or skips the case.
func (b *bench) logReader() ecp.LogReader {
	b.Helper()
	l, ok := b.p.(ecp.LogReader)
	if !ok {
		b.Skip("it is no ecp.LogReader")
	}
	return l
}

// readLog reads a log that is not followed, to its end.
func (b *bench) readLog(l ecp.LogReader, node string, o ecp.LogOptions) (lines []string, err error) {
	ctx, cancel := context.WithTimeout(b.Context(), b.suite.Ready)
	defer cancel()
	body, err := l.Logs(ctx, b.id, node, o)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines, checkLines(lines)
}

// checkLines wants a time before each line, none before the one above it.
func checkLines(lines []string) error {
	var last time.Time
	for _, line := range lines {
		stamp, _, ok := strings.Cut(line, " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if !ok || err != nil {
			return fmt.Errorf("line %q has no time before it", line)
		}
		if at.Before(last) {
			return fmt.Errorf("line %q has an earlier time than the one above, %v", line, last)
		}
		last = at
	}
	return nil
}

func logsOfNodes(b *bench) {
	l := b.logReader()
	_, o := b.create(2)
	for _, n := range o.Nodes {
		var all []string
		b.until("logged by "+n.Name, func(context.Context) string {
			var err error
			if all, err = b.readLog(l, n.Name, ecp.LogOptions{}); err != nil {
				return err.Error()
			}
			if len(all) < 2 {
				return fmt.Sprintf("%d lines", len(all))
			}
			return ""
		})
		if last, err := b.readLog(l, n.Name, ecp.LogOptions{Tail: 1}); err != nil || len(last) != 1 {
			b.Errorf("the last line of %s: %q, %v", n.Name, last, err)
		}
		// The clock of a simulated broker may run ahead by hours.
		if none, err := b.readLog(l, n.Name,
			ecp.LogOptions{Since: time.Now().AddDate(1, 0, 0)}); err != nil || len(none) > 0 {
			b.Errorf("lines of %s that are a year ahead: %q, %v", n.Name, none, err)
		}
	}
	if _, err := l.Logs(b.Context(), b.id, "emqx@nobody", ecp.LogOptions{}); !errors.Is(err, ecp.ErrNotFound) {
		b.Errorf("Logs of a node that is not there: %v, want not_found", err)
	}
	if _, err := l.Logs(b.Context(), NewID(), o.Nodes[0].Name, ecp.LogOptions{}); !errors.Is(err, ecp.ErrNotFound) {
		b.Errorf("Logs of a cluster that is not there: %v, want not_found", err)
	}
}

// followed opens a log and waits for its first line.
func (b *bench) followed(ctx context.Context, l ecp.LogReader, node string) (body io.ReadCloser, lines *bufio.Reader) {
	b.Helper()
	b.until("followed", func(context.Context) string {
		var err error
		if body, err = l.Logs(ctx, b.id, node, ecp.LogOptions{Follow: true}); err != nil {
			return err.Error()
		}
		return ""
	})
	lines = bufio.NewReader(body)
	first, err := lines.ReadString('\n')
	if err != nil {
		b.Fatalf("the first line: %v", err)
	}
	if err := checkLines([]string{strings.TrimSuffix(first, "\n")}); err != nil {
		b.Error(err)
	}
	return body, lines
}

func logsFollow(b *bench) {
	l := b.logReader()
	_, o := b.create(1)
	ctx, cancel := context.WithTimeout(b.Context(), b.suite.Ready)
	defer cancel()
	body, lines := b.followed(ctx, l, o.Nodes[0].Name)
	defer body.Close()
	timer := time.AfterFunc(50*time.Millisecond, cancel)
	defer timer.Stop()
	if _, err := io.Copy(io.Discard, lines); err == nil {
		b.Error("a log that is followed ended by itself")
	}
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		b.Errorf("Read did not end with the context, but with %v", ctx.Err())
	}
}

func logsEnd(b *bench) {
	l := b.logReader()
	_, o := b.create(1)
	ctx, cancel := context.WithTimeout(b.Context(), b.suite.Ready)
	defer cancel()
	body, lines := b.followed(ctx, l, o.Nodes[0].Name)
	defer body.Close()
	b.suite.DeletePod(b.T, b.p, b.id, 0)
	if _, err := io.Copy(io.Discard, lines); ctx.Err() != nil {
		b.Errorf("the log of a pod that is gone goes on: %v", err)
	}
	b.seen("running again", running(1))
	body, _ = b.followed(ctx, l, o.Nodes[0].Name)
	_ = body.Close()
}
