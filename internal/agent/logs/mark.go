package logs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// How many bytes of a file are compared to find it again.
const (
	headSize = 256 // at its beginning
	tailSize = 256 // before the end of a line
)

// Mark is the place in the log at which a line ends. It survives rotation and restarts of
// the agent. It names no file: the file is found again by its content. The zero Mark is
// before everything. Marks are compared with ==.
type Mark struct {
	off  int64  // of the next line in its file
	size int    // of the head that was compared, in bytes
	head uint64 // hash of the first size bytes of the file
	tail uint64 // hash of the last tailSize bytes before off
	at   int64  // the line's time in microseconds since 1970
}

// IsZero reports whether m is before everything.
func (m Mark) IsZero() bool { return m == Mark{} }

// maxMark is the largest size of the text of a Mark, in bytes.
const maxMark = 100

// markVersion begins the text of a Mark.
const markVersion = "1"

// String returns the text that [ParseMark] reads. That of the zero Mark is empty.
func (m Mark) String() string {
	if m.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s.%x.%x.%x.%x.%x", markVersion, m.off, m.size, m.head, m.tail, m.at)
}

// ParseMark reads the text of a Mark. The text is untrusted.
func ParseMark(s string) (Mark, error) {
	if s == "" {
		return Mark{}, nil
	}
	parts := strings.Split(s[:min(len(s), maxMark)], ".")
	if len(s) > maxMark || len(parts) != 6 || parts[0] != markVersion {
		return Mark{}, errors.New("this is no mark of a log")
	}
	var m Mark
	var errs [5]error
	var size int64
	m.off, errs[0] = strconv.ParseInt(parts[1], 16, 64)
	size, errs[1] = strconv.ParseInt(parts[2], 16, 32)
	m.head, errs[2] = strconv.ParseUint(parts[3], 16, 64)
	m.tail, errs[3] = strconv.ParseUint(parts[4], 16, 64)
	m.at, errs[4] = strconv.ParseInt(parts[5], 16, 64)
	m.size = int(size)
	if errors.Join(errs[:]...) != nil || m.off < 0 || m.size < 0 || m.size > headSize || m.String() != s {
		return Mark{}, errors.New("this is no mark of a log")
	}
	return m, nil
}

// time returns when the line before the mark was written, or the zero time if there is no
// line before it.
func (m Mark) time() time.Time {
	if m.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(m.at).UTC()
}

// sum returns the hash of a piece of a file.
func sum(piece []byte) uint64 {
	h := fnv.New64a()
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(piece)))
	h.Write(size[:])
	h.Write(piece)
	return h.Sum64()
}
