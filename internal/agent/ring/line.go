package ring

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"strconv"
	"time"
)

// A segment is a file of lines. Each is the CRC-32C of what follows in 8 hex digits,
// a space, JSON, and a line end. The first is a header, and so is the first of each run
// of the process; the others are records.
const (
	sumDigits = 8
	// longestLine is more than any record has, and than any header with its State.
	longestLine = 256 << 10
)

// header is the first line of a segment, and of a run; others tell what holds beside
// what records tell.
type header struct {
	Ring  int             `json:"ring"` // version of the form
	Epoch uint64          `json:"epoch"`
	Next  uint64          `json:"next"` // number of the record that follows
	At    time.Time       `json:"at"`
	State json.RawMessage `json:"state,omitempty"` // what held when the segment was begun
}

// formOfRing is the version of the form that is written. Segments of another are not
// read.
const formOfRing = 1

var (
	errDamaged = errors.New("a line of the buffer is damaged")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// appendLine appends a line with its sum.
func appendLine(to, text []byte) []byte {
	sum := strconv.FormatUint(uint64(crc32.Checksum(text, castagnoli)), 16)
	for range sumDigits - len(sum) {
		to = append(to, '0')
	}
	to = append(append(to, sum...), ' ')
	return append(append(to, text...), '\n')
}

// checkLine returns the text of a line whose end was cut off.
func checkLine(line []byte) ([]byte, error) {
	if len(line) < sumDigits+1 || line[sumDigits] != ' ' {
		return nil, errDamaged
	}
	sum, err := strconv.ParseUint(string(line[:sumDigits]), 16, 32)
	text := line[sumDigits+1:]
	if err != nil || uint32(sum) != crc32.Checksum(text, castagnoli) {
		return nil, errDamaged
	}
	return text, nil
}

func decodeHeader(text []byte) (h header, err error) {
	if !isHeader(text) || json.Unmarshal(text, &h) != nil || h.Ring != formOfRing || h.Epoch == 0 {
		return h, errDamaged
	}
	return h, nil
}

// isHeader reports whether the text of a line is a header's: as it is written here.
func isHeader(text []byte) bool { return bytes.HasPrefix(text, []byte(`{"ring":`)) }

// lineReader reads lines of bounded length.
type lineReader struct {
	in   *bufio.Reader
	long []byte // of a line that does not fit into the reader's buffer
	read int64  // bytes of the lines that were returned
}

func newLineReader(in io.Reader) *lineReader { return &lineReader{in: bufio.NewReaderSize(in, 16<<10)} }

// next returns a line without its end, valid until the next call; nil where it is
// longer than any can be. What is left at the end without a line end is io.EOF.
func (l *lineReader) next() ([]byte, error) {
	l.long = l.long[:0]
	for total := 0; ; {
		part, err := l.in.ReadSlice('\n')
		total += len(part)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if total <= longestLine {
				l.long = append(l.long, part...)
			}
			continue
		case err != nil:
			return nil, err
		}
		l.read += int64(total)
		switch {
		case total > longestLine:
			return nil, nil
		case len(l.long) > 0:
			part = append(l.long, part...)
		}
		return part[:len(part)-1], nil
	}
}
