package logs

import (
	"time"

	"github.com/openecp/openecp/internal/emqxlog"
)

// MaxLine bounds the text of a line, in bytes. The rest of a longer one is dropped.
const MaxLine = emqxlog.MaxEntry

// Query selects lines of the log. The zero value selects all that is there.
//
// Since, Until, Tail, Level and Text are applied to whole entries: a line with a
// time or level, and the lines without either that follow it.
type Query struct {
	After  Mark          // where to go on; if it is zero, Since and Tail define where to begin
	Since  time.Time     // entries at this time or later
	Until  time.Time     // entries before this time; the zero time means no end
	Tail   int           // the number of newest entries; 0 means all. It is not used with After
	Level  emqxlog.Level // entries that are at least so severe; an empty level means every entry
	Text   string        // entries that contain it, whatever the case
	Follow bool          // go on with new lines until the context ends
}

// Line is a line of the log.
type Line struct {
	// At is the time of the line, in UTC with microseconds. A line without a time has
	// that of the line before it, and at the head of a file the time of the file's last
	// change. A time without a zone is a time of this host's zone.
	At   time.Time
	Text []byte // without its end; valid until yield returns
	Cut  bool   // Text is only its first MaxLine bytes
	Mark Mark   // where the line ends
	// Gap is why lines are missing here; it is empty if none are. Only At and Mark are
	// set beside it. A caller who continues at the Mark before it may get it again.
	Gap string
	// Passed means that this is no line of the log: it was read up to Mark, and the query
	// selects no more of it so far. Only At and Mark are set beside it.
	Passed bool
}
