package logs

import (
	"time"

	"github.com/openecp/openecp/internal/emqxlog"
)

// MaxLine bounds the text of a line, in bytes. The rest of a longer one is dropped.
const MaxLine = emqxlog.MaxEntry

// Query says what of the log is wanted. The zero value is all that is there.
//
// Since, Until, Tail, Level and Text are applied to whole entries: a line with a
// time or level, and the lines without either that follow it.
type Query struct {
	After  Mark          // where to go on. The zero Mark means that Since and Tail say where to begin
	Since  time.Time     // entries at this time or later
	Until  time.Time     // entries before this time; the zero time means no end
	Tail   int           // only so many of the newest entries that are wanted; 0 means all. It is not used with After
	Level  emqxlog.Level // entries that are at least so severe; an empty level means every entry
	Text   string        // entries that contain it, whatever the case
	Follow bool          // go on with what is written until the context ends
}

// Line is a line of the log.
type Line struct {
	// At is UTC with microseconds: the time of the line, else that of the line before
	// it. A time without a zone is taken for one of this host's zone. A line at the
	// head of a file without any time has that of the file's last change.
	At   time.Time
	Text []byte // without its end; valid until yield returns
	Cut  bool   // Text is only its first MaxLine bytes
	Mark Mark   // where the line ends
	// Gap says that lines are missing here, and why. Nothing but At and Mark is then
	// set beside it. One may be told again to who continues at the Mark before it.
	Gap string
	// Passed says that this is no line: the log was read up to Mark, and no more of it is
	// wanted so far. Nothing but At and Mark is then set beside it.
	Passed bool
}
