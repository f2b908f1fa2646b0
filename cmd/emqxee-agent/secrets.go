package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// fileSuffix is what the flag ends in that names a file with a secret.
const fileSuffix = "-file"

// longestSecret bounds a line with a secret, in bytes.
const longestSecret = 4096

// secretReader reads secrets from where the flags say.
type secretReader struct {
	flags *pflag.FlagSet
	stdin *bufio.Reader // its lines are the secrets whose file is "-", in the order of the help
}

// defineSecret defines a flag for a secret, and the one for a file that holds it.
func defineSecret(flags *pflag.FlagSet, name, what string) {
	flags.String(name, "", what+"; it is hidden from the list of processes, but not from the shell's history")
	flags.String(name+fileSuffix, "", "file whose first line is the "+what+"; - is the standard input")
}

// read returns the secret of a flag, "" if none was given.
func (r secretReader) read(name string) (string, error) {
	value, err := r.flags.GetString(name)
	file, err2 := r.flags.GetString(name + fileSuffix)
	switch {
	case err != nil || err2 != nil:
		return "", errors.Join(err, err2)
	case value != "" && file != "":
		return "", fail(exitUsage, "", "--%s and --%s%s were both given; one of them is enough", name, name, fileSuffix)
	case file == "":
		return value, nil
	case file == "-":
		value, err = firstLine(r.stdin)
	default:
		value, err = firstLineOf(file)
	}
	if err == nil && value == "" {
		err = errors.New("its first line is empty")
	}
	if err != nil {
		return "", fail(exitUsage, "", "--%s%s %s: %w", name, fileSuffix, file, err)
	}
	return value, nil
}

func firstLineOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return firstLine(bufio.NewReader(io.LimitReader(f, longestSecret+2)))
}

func firstLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); len(line) > longestSecret {
		return "", fmt.Errorf("its first line is longer than %d bytes", longestSecret)
	}
	return line, nil
}

// atTerminal reports whether a person can be asked.
func (p *program) atTerminal() bool { return p.stdin != nil && term.IsTerminal(int(p.stdin.Fd())) }

// ask asks the person at the terminal for one line; a hidden one is not shown
// while it is typed.
func (p *program) ask(ctx context.Context, question string, hidden bool) (string, error) {
	fd := int(p.stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	if hidden { // before the question: some type, or paste, before it is there
		if err := hideTyping(p.stdin); err != nil {
			return "", err
		}
		defer term.Restore(fd, before) //nolint:errcheck // the terminal may be gone
	}
	fmt.Fprint(p.stderr, question+" ")
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // when ctx ends first, it ends with the process
		if hidden {
			b, err := term.ReadPassword(fd)
			answered <- answer{string(b), err}
			return
		}
		line, err := readTerminalLine(p.stdin)
		answered <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.stderr)
		return "", ctx.Err()
	case a := <-answered:
		if hidden {
			fmt.Fprintln(p.stderr)
		} else {
			a.line = strings.TrimSpace(a.line)
		}
		if err := ctx.Err(); err != nil { // Ctrl-C discards what was typed, and may end the line
			return "", err
		}
		if a.err != nil {
			return "", fmt.Errorf("read the answer: %w", a.err)
		}
		return a.line, nil
	}
}

// readTerminalLine reads one line byte by byte, so that nothing of the next is
// taken away.
func readTerminalLine(f *os.File) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := f.Read(b)
		if n == 1 && b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[:n]...)
		if err != nil || len(line) > longestSecret {
			return string(line), err
		}
	}
}
