package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxEvent bounds an event, in bytes.
const maxEvent = 4 << 20

// event is one of a stream of server-sent events. What is empty was not there;
// a sign of life is an event with nothing in it.
type event struct {
	id, name, data string
	retry          time.Duration
}

// events reads a stream.
type events struct{ lines *bufio.Reader }

func newEvents(r io.Reader) *events { return &events{bufio.NewReader(r)} }

var errLong = fmt.Errorf("an event is longer than %d bytes", maxEvent)

// next reads one event. The error is io.EOF where the stream ends between two;
// one that is cut short is dropped: it comes again.
func (e *events) next() (event, error) {
	var ev event
	var data []string
	for size := 0; ; {
		line, err := e.line(maxEvent - size)
		if err != nil {
			return event{}, err
		}
		if line == "" {
			ev.data = strings.Join(data, "\n")
			return ev, nil
		}
		size += len(line)
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			ev.id = value
		case "event":
			ev.name = value
		case "data":
			data = append(data, value)
		case "retry":
			if ms, err := strconv.Atoi(value); err == nil && ms >= 0 {
				ev.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
}

// line reads to the end of a line of at most so many bytes.
func (e *events) line(most int) (string, error) {
	var b []byte
	for {
		part, err := e.lines.ReadSlice('\n')
		if len(b)+len(part) > most {
			return "", errLong
		}
		b = append(b, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return "", err
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	}
}
