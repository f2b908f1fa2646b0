package logs

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
)

// maxWrap is the largest number of a file of a wrap log; Erlang's own limit is lower.
const maxWrap = 1 << 20

// readIndex reads the index of a wrap log and returns the number of the file that is
// written to, or 0 if that is not known.
func (d *Dir) readIndex(log string) int {
	f, err := os.OpenFile(filepath.Join(d.path, log+".idx"), openFlags, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0
	}
	var b [10]byte
	n, _ := io.ReadFull(f, b[:])
	return currentFile(b[:n])
}

// currentFile reads the head of an index of Erlang's disk_log. There are three forms:
//
//	0 (1 byte), 0 (4 bytes), version 2 (1 byte), number (4 bytes), …
//	0 (1 byte), number (4 bytes), …
//	number (1 byte), …
func currentFile(head []byte) int {
	var n uint32
	switch {
	case len(head) >= 1 && head[0] > 0:
		n = uint32(head[0])
	case len(head) >= 10 && binary.BigEndian.Uint32(head[1:]) == 0 && head[5] == 2:
		n = binary.BigEndian.Uint32(head[6:])
	case len(head) >= 5:
		n = binary.BigEndian.Uint32(head[1:])
	}
	if n > maxWrap {
		return 0
	}
	return int(n)
}
