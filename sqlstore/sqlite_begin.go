package sqlstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/openecp/openecp/ecp"
)

// mayBegin reports whether there is no database yet, so that one may be made. What
// was emptied or cut off is no new installation: it is refused, and not touched.
func (e *sqliteEngine) mayBegin() (isNew bool, err error) {
	log, err := os.Stat(e.file + logSuffix)
	rest := err == nil && log.Size() > 0
	info, err := os.Stat(e.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if rest && !e.owner.making {
			return false, damaged("the database " + e.file + " is not there, but the log of its last changes is (" +
				e.file +
				"-wal); put the database back beside it, or move the log away to begin anew")
		}
		return true, nil
	case err != nil:
		return false, unusable(e.file, err)
	case !info.Mode().IsRegular(): // opening it says what is wrong
		return false, nil
	case info.Size() == 0 && e.owner.making: // the first start was cut short
		return true, nil
	case info.Size() == 0:
		return false, damaged("the database " + e.file + " is empty (0 bytes): its content was lost, and nothing is " +
			"written over it; put a backup in its place, or remove the file to begin anew")
	}
	return e.owner.making, checkHeader(e.file, info.Size(), rest)
}

func damaged(message string) error {
	return &ecp.Error{Code: ecp.CodeInternal, Op: opening, Message: message}
}

const sqliteMagic = "SQLite format 3\x00"

// checkHeader refuses what is no SQLite database, and one of which the end is
// missing. While a log has pages that are not in the database yet, its size
// says nothing.
func checkHeader(file string, size int64, hasLog bool) error {
	f, err := os.Open(file)
	if err != nil {
		return fault(opening, file, err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	head := make([]byte, 100)
	if _, err := io.ReadFull(f, head); err != nil || string(head[:len(sqliteMagic)]) != sqliteMagic {
		return damaged(file + " is not an SQLite database; move it away to begin anew, or put a backup in its place")
	}
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	pages := int64(binary.BigEndian.Uint32(head[28:]))
	current := binary.BigEndian.Uint32(head[24:]) == binary.BigEndian.Uint32(head[92:])
	if !hasLog && current && size < page*pages {
		return damaged(fmt.Sprintf("the database %s is cut off: %d of %d bytes are there; put a backup in its place",
			file, size, page*pages))
	}
	return nil
}
