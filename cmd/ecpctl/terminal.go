package main

import (
	"bufio"
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
}

func systemTerminal() terminal {
	is := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
	t := terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, asks: is(os.Stdin), shows: is(os.Stdout), tells: is(os.Stderr),
		secret: func() ([]byte, error) { return term.ReadPassword(int(os.Stdin.Fd())) },
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
func (t terminal) confirm(question string) error {
	if !t.asks {
		return usagef("stdin is no terminal that could be asked; say --yes to go on without a question")
	}
	fmt.Fprintf(t.err, "%s [y/N] ", question)
	line, err := t.readLine()
	if err != nil {
		return err
	}
	switch strings.ToLower(line) {
	case "y", "yes", "是":
		return nil
	}
	return errDeclined
}

// prompt asks for a line of text.
func (t terminal) prompt(question string) (string, error) {
	fmt.Fprintf(t.err, "%s: ", question)
	return t.readLine()
}

// promptSecret asks for a line of text that is not shown.
func (t terminal) promptSecret(question string) (string, error) {
	fmt.Fprintf(t.err, "%s: ", question)
	b, err := t.secret()
	fmt.Fprintln(t.err)
	if err != nil {
		return "", fmt.Errorf("read what was typed: %w", err)
	}
	return string(b), nil
}

// readLine reads one line of stdin. What else has arrived is dropped.
func (t terminal) readLine() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(t.in, maxLine)).ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || line == "") {
		return "", fmt.Errorf("read a line of stdin: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// maxLine bounds what is typed, in bytes.
const maxLine = 64 << 10
