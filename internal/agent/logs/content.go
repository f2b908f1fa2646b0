package logs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// content is the content of a file, decompressed if need be.
type content interface {
	io.ReaderAt
	io.Closer
}

// errMoved means that another file has the name now.
var errMoved = errors.New("the file has been renamed")

// open opens a file of a list.
func (d *Dir) open(f file) (content, error) {
	if f.why != "" {
		return nil, fmt.Errorf("%s is not read: %s", f.name, f.why)
	}
	path := filepath.Join(d.path, f.name)
	opened, err := d.openFile(path, openFlags, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errMoved
	case errors.Is(err, fs.ErrPermission):
		return nil, forbidden{path}
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read: %w", f.name, plain(err))
	}
	info, err := opened.Stat()
	if err != nil || !info.Mode().IsRegular() {
		opened.Close()
		return nil, errMoved
	}
	if id, _ := statOf(info); id != f.id {
		opened.Close()
		return nil, errMoved
	}
	if f.part.gz {
		return &unpacked{file: opened, size: info.Size(), mod: info.ModTime()}, nil
	}
	return opened, nil
}

// unpacked decompresses a file from its beginning on. To read before the current place it
// begins again.
type unpacked struct {
	file *os.File
	size int64 // when it was opened
	mod  time.Time
	from *gzip.Reader
	at   int64
}

// ReadAt reads from off on.
func (u *unpacked) ReadAt(p []byte, off int64) (int, error) {
	if u.from == nil || off < u.at {
		if err := u.rewind(); err != nil {
			return 0, err
		}
	}
	n, err := io.CopyN(io.Discard, u.from, off-u.at)
	if u.at += n; err != nil {
		return 0, err
	}
	read, err := io.ReadFull(u.from, p)
	u.at += int64(read)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF // also of a file that is cut off: it ends there
	}
	return read, err
}

func (u *unpacked) rewind() (err error) {
	if _, err = u.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	u.at = 0
	if u.from == nil {
		u.from, err = gzip.NewReader(u.file)
	} else {
		err = u.from.Reset(u.file)
	}
	if err != nil {
		u.from = nil
	}
	return err
}

// check returns an error if the file has changed since it was opened.
func (u *unpacked) check() error {
	info, err := u.file.Stat()
	if err == nil && (info.Size() != u.size || !info.ModTime().Equal(u.mod)) {
		err = errTruncated
	}
	return err
}

// Close closes the file beneath.
func (u *unpacked) Close() error { return u.file.Close() }

// readAll reads len(p) bytes at off, or fewer at the end.
func readAll(c io.ReaderAt, p []byte, off int64) ([]byte, error) {
	n, err := c.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return p[:n], err
}

// headOf returns the beginning of a file.
func headOf(c content) ([]byte, error) { return readAll(c, make([]byte, headSize), 0) }

// fit is how the content of a file agrees with a mark.
type fit int

const (
	foreign fit = iota // it is another file
	partial            // it begins as the file of the mark does, but ends before the mark or goes on differently
	exact              // it holds what is before the mark
)

// compare compares a file with a mark.
func compare(c content, m Mark) fit {
	head, err := readAll(c, make([]byte, m.size), 0)
	if err != nil || len(head) < m.size || sum(head) != m.head {
		return foreign
	}
	size := min(tailSize, m.off)
	tail, err := readAll(c, make([]byte, size), m.off-size)
	if err != nil || int64(len(tail)) < size || sum(tail) != m.tail {
		return partial
	}
	return exact
}

// sameBytes reports whether a file holds want at off.
func sameBytes(c content, want []byte, off int64) bool {
	got, err := readAll(c, make([]byte, len(want)), off)
	return err == nil && bytes.Equal(got, want)
}
