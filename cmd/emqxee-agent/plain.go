package main

import (
	"bytes"
	"io"
)

// plainWriter leaves out what a terminal would take for a command: much of what is
// printed was said by EMQX, or by whoever owns the agent's directory.
type plainWriter struct{ io.Writer }

// Write writes p without control characters but the ends of lines and tabs.
func (w plainWriter) Write(p []byte) (int, error) {
	if _, err := w.Writer.Write(plain(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// plain leaves out the control characters of ASCII and those of Latin 1, which UTF-8
// writes in two bytes.
func plain(p []byte) []byte {
	bad := func(i int) int {
		switch c := p[i]; {
		case c < ' ' && c != '\n' && c != '\t', c == 0x7f:
			return 1
		case c == 0xc2 && i+1 < len(p) && p[i+1] >= 0x80 && p[i+1] < 0xa0:
			return 2
		}
		return 0
	}
	var out bytes.Buffer
	for i := 0; i < len(p); {
		if n := bad(i); n > 0 {
			i += n
			continue
		}
		out.WriteByte(p[i])
		i++
	}
	return out.Bytes()
}
