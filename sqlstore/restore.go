package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

const restoring = "restore the database"

// keptForm names the database that was there before a restore by when it was
// put aside.
const keptForm = fileName + ".before-20060102T150405.000Z"

// Restore puts a copy of a database in the place of that of a data directory,
// which is made if it is not there. The copy may be one of [Backup] or of the
// files themselves (a FILE-wal beside it is read, too); it is not changed. It is
// checked and brought up to date first: a damaged one, one of another program or
// of a newer version, and one of another platform than the database before are
// refused, and then nothing has changed. Changes of before are forgotten, so that
// every position of a watcher is gone and every ETag old. The database that was there is kept
// beside the new one under the name that Restore returns, "" = there was none.
//
// While a daemon has the directory it is a conflict. What was done since the
// copy was made is not in it: see [ecp.ReasonRecordOlder].
func Restore(ctx context.Context, file, dir string) (_ Copied, kept string, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return Copied{}, "", unusable(dir, err)
	}
	lock, err := holdForRestore(dir)
	if err != nil {
		return Copied{}, "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // which unlocks it
	stage, err := os.MkdirTemp(dir, ".restore-")
	if err != nil {
		return Copied{}, "", unusable(dir, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stage)) }()
	target := filepath.Join(dir, fileName)
	if err := stageCopy(file, target, stage); err != nil {
		return Copied{}, "", err
	}
	c, err := bringUpToDate(ctx, file, target, stage)
	if err != nil {
		return Copied{}, "", err
	}
	if kept, err = putAside(ctx, target, time.Now()); err != nil {
		return Copied{}, "", unusable(dir, err)
	}
	if err := errors.Join(asFolder(dir, filepath.Join(stage, fileName), lock.Name()),
		place(filepath.Join(stage, fileName), target)); err != nil {
		return Copied{}, kept, unusable(dir, err)
	}
	c.File = target
	return c, kept, nil
}

// holdForRestore takes the lock of the folder. What stands in it of the process
// that had it last stays: the next one to open the store wants to know.
func holdForRestore(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unusable(dir, err)
	}
	switch err := lock(f); {
	case errors.Is(err, ErrHeld):
		return nil, errors.Join(held(dir, f), f.Close())
	case err != nil:
		return nil, errors.Join(unusable(dir, fmt.Errorf("lock it: %w", err)), f.Close())
	}
	return f, nil
}

// stageCopy copies the files of a copy to where they can be opened without
// changing them.
func stageCopy(file, target, stage string) error {
	info, err := os.Stat(file)
	switch present, presentErr := os.Stat(target); {
	case errors.Is(err, fs.ErrNotExist):
		return &ecp.Error{Code: ecp.CodeNotFound, Op: restoring, Message: file + " is not there"}
	case err != nil:
		return unreadable(file, err)
	case !info.Mode().IsRegular():
		return &ecp.Error{Code: ecp.CodeInvalid, Op: restoring, Message: file + " is no file"}
	case presentErr == nil && os.SameFile(info, present):
		return &ecp.Error{Code: ecp.CodeInvalid, Op: restoring,
			Message: file + " is the database itself; give the file of a backup"}
	}
	for _, end := range []string{"", logSuffix} {
		err := copyFile(filepath.Join(stage, fileName+end), file+end)
		if err != nil && (end == "" || !errors.Is(err, fs.ErrNotExist)) {
			return unreadable(file+end, err)
		}
	}
	return nil
}

func unreadable(file string, err error) error {
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: restoring, Cause: err,
		Message: fmt.Sprintf("%s cannot be taken over: %v", file, err)}
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// bringUpToDate opens the staged copy as a daemon would, which refuses what is
// not one of ours and migrates an older one, and closes it again whole.
func bringUpToDate(ctx context.Context, file, target, stage string) (Copied, error) {
	staged := filepath.Join(stage, fileName)
	if info, err := os.Stat(staged); err == nil && info.Size() == 0 {
		return Copied{}, &ecp.Error{Code: ecp.CodeInternal, Op: restoring,
			Message: file + " is empty (0 bytes); nothing was restored, take another backup"}
	}
	if err := ours(ctx, staged); err != nil {
		return Copied{}, inWords(file, err)
	}
	platform, err := samePlatform(ctx, file, staged, target)
	if err != nil {
		return Copied{}, err
	}
	c, err := inspect(ctx, staged)
	if err != nil {
		return Copied{}, inWords(file, err)
	}
	s, err := Open(ctx, Config{Dir: stage, Kinds: ecp.Codec{}, Platform: platform})
	if err != nil {
		return Copied{}, inWords(file, err)
	}
	if err := errors.Join(s.engine.(*sqliteEngine).beginAnew(ctx), s.Close()); err != nil {
		return Copied{}, inWords(file, err)
	}
	return c, nil
}

// skipped is how far the numbers of changes jump at a restore: further than a
// database comes, and small enough for the numbers of JSON.
const skipped int64 = 1 << 32

// beginAnew forgets the changes and goes on with numbers that were never given
// out: those between the backup and its restore stand for other content in
// somebody's hands, as positions of watchers and as ETags.
func (e *sqliteEngine) beginAnew(ctx context.Context) error {
	for _, text := range []string{"DELETE FROM changes",
		fmt.Sprintf("UPDATE sqlite_sequence SET seq = seq + %d WHERE name = 'changes'", skipped)} {
		if _, err := e.writer.ExecContext(ctx, text); err != nil {
			return fault(restoring, e.file, err)
		}
	}
	return nil
}

// samePlatform refuses a copy of another platform than that of the database
// whose place it takes, and returns which one it is of, "" = it does not say.
func samePlatform(ctx context.Context, file, staged, target string) (Platform, error) {
	is, err := platformOf(ctx, staged)
	if err != nil {
		return "", inWords(file, err)
	}
	was := Platform("")
	if _, err := os.Stat(target); err == nil {
		was, _ = platformOf(ctx, target) // one that cannot be read is why somebody restores
	}
	if is == "" || was == "" || is == was {
		return is, nil
	}
	return "", &ecp.Error{Code: ecp.CodeConflict, Op: restoring, Message: fmt.Sprintf(
		"%s holds %s, and the data directory %s is one for %s; give another --data-dir", file, platformWords[is],
		filepath.Dir(target), platformWords[was])}
}

func platformOf(ctx context.Context, file string) (_ Platform, err error) {
	db, err := openDB(file, readerOnly)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var mark int
	err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&mark)
	return platformMarks[mark], err
}

// inWords turns an error about the staged copy into one about the given file.
func inWords(file string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	code := ecp.CodeOf(err)
	what, advice, _ := strings.Cut(ecp.MessageOf(err), "; ")
	if code == ecp.CodeInternal { // damaged
		advice = "nothing was restored, take another backup"
	}
	return &ecp.Error{Code: code, Op: restoring, Cause: err, Message: stagedName.ReplaceAllLiteralString(what, file) +
		"; " + advice}
}

var stagedName = regexp.MustCompile(`\S*/\.restore-\d+/` + regexp.QuoteMeta(fileName))

// putAside links the database that is there under a second name, so that its own is
// free to be taken in one step: at no moment is there none, since a start would
// then begin anew. What its log holds goes into it first, as far as it can be
// read; else the log is put aside, too.
func putAside(ctx context.Context, target string, now time.Time) (kept string, err error) {
	if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
		return "", removeLog(target)
	}
	kept = filepath.Join(filepath.Dir(target), now.UTC().Format(keptForm))
	whole := takeOver(ctx, target) == nil
	if err := os.Link(target, kept); err != nil {
		return "", err
	}
	if !whole {
		for _, end := range []string{logSuffix, "-shm"} {
			if err := os.Rename(target+end, kept+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
		}
	}
	return kept, removeLog(target)
}

// takeOver moves what a database's log holds into its own file.
func takeOver(ctx context.Context, file string) (err error) {
	if info, err := os.Stat(file); err != nil {
		return err
	} else if info.Size() == 0 {
		return errors.New("it is empty")
	}
	db, err := openDB(file, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var busy, logged, taken int
	return db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &logged, &taken)
}

// removeLog removes a log that has nothing to do with the database that comes.
func removeLog(file string) error {
	for _, end := range []string{logSuffix, "-shm"} {
		if err := os.Remove(file + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
