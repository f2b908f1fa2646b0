package emqxlog

import (
	"bufio"
	"errors"
	"io"
)

// Lines reads lines of any length with bounded memory.
type Lines struct{ r *bufio.Reader }

// NewLines reads the lines of r, which it may read ahead of.
func NewLines(r io.Reader) *Lines { return &Lines{bufio.NewReaderSize(r, 16<<10)} }

// Next returns the next line without its end. It truncates a line that is longer than most,
// reports that by cut, and drops the rest. A last line without an end counts as a line. The
// error is that of the reader: io.EOF after the last line.
func (l *Lines) Next(most int) (line string, cut bool, err error) {
	var kept []byte
	for {
		part, err := l.r.ReadSlice('\n')
		end := err == nil
		if end {
			part = part[:len(part)-1]
		}
		room := most - len(kept)
		cut = cut || len(part) > room
		kept = append(kept, part[:min(len(part), room)]...)
		switch {
		case end:
			return string(kept), cut, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && (len(kept) > 0 || cut):
			return string(kept), cut, nil
		default:
			return "", false, err
		}
	}
}
