package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// terminal is where a command reads from and writes to.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	// asks, shows and tells say that in, out and err are a terminal.
	asks, shows, tells bool
	width              int                    // of out, in columns; 0 = not limited
	secret             func() ([]byte, error) // reads a line of in without showing it
	restore            func()                 // shows again what is typed, after secret was left
}

func systemTerminal() terminal {
	is := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
	t := terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, asks: is(os.Stdin), shows: is(os.Stdout), tells: is(os.Stderr),
		secret: func() ([]byte, error) { return term.ReadPassword(int(os.Stdin.Fd())) }, restore: func() {},
	}
	if state, err := term.GetState(int(os.Stdin.Fd())); err == nil {
		t.restore = func() { _ = term.Restore(int(os.Stdin.Fd()), state) } // the process ends: nothing else can be done
	}
	if t.shows {
		if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			t.width = width
		}
	}
	return t
}

// tell writes a line of progress.
func (t terminal) tell(format string, a ...any) { fmt.Fprintf(t.err, format+"\n", a...) }

// confirm asks a question that is answered with y or n.
func (t terminal) confirm(ctx context.Context, question string) error {
	if !t.asks {
		return usagef("stdin is no terminal that could be asked; say --yes to go on without a question")
	}
	fmt.Fprintf(t.err, "%s [y/N] ", question)
	line, err := t.readLine(ctx)
	if err != nil {
		return err
	}
	switch strings.ToLower(line) {
	case "y", "yes", "是":
		return nil
	}
	return errDeclined
}

// errNotAsked is the error where nobody can be asked for a value: stdin is no terminal.
func errNotAsked(what string) error {
	return usagef("stdin is no terminal that could be asked for a %s; say --stdin to read it from there", what)
}

// prompt asks for a line of text.
func (t terminal) prompt(ctx context.Context, question string) (string, error) {
	fmt.Fprintf(t.err, "%s: ", question)
	return t.readLine(ctx)
}

// promptSecret asks for a line of text that is not shown.
func (t terminal) promptSecret(ctx context.Context, question string) (string, error) {
	fmt.Fprintf(t.err, "%s: ", question)
	text, err := unless(ctx, func() (string, error) {
		b, err := t.secret()
		return string(b), err
	})
	if ctx.Err() != nil {
		t.restore()
	}
	fmt.Fprintln(t.err)
	return text, err
}

// readLine reads one line of stdin. What else has arrived is dropped.
func (t terminal) readLine(ctx context.Context) (string, error) {
	line, err := unless(ctx, func() (string, error) {
		line, err := bufio.NewReader(io.LimitReader(t.in, maxLine)).ReadString('\n')
		if errors.Is(err, io.EOF) && line != "" {
			err = nil
		}
		return line, err
	})
	return strings.TrimRight(line, "\r\n"), err
}

// unless returns what read returns, unless the context ends before: nothing else ends the
// reading of a terminal. The goroutine that reads ends with the process then.
func unless(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := read()
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		if a.err != nil {
			return "", fmt.Errorf("read stdin: %w", a.err)
		}
		return a.text, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// maxLine bounds what is typed, in bytes.
const maxLine = 64 << 10
