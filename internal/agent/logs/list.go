package logs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Limits of one directory.
const (
	maxNames = 100_000 // entries
	maxLogs  = 64      // different logs
	maxFiles = 4096    // files of one log
)

// fileID identifies a file, whatever its name, as long as it is open.
type fileID struct{ device, inode uint64 }

// owner is the user and the group of a file or directory.
type owner struct{ user, group uint32 }

// file is a file of the log as it was listed.
type file struct {
	name string
	part part
	id   fileID
	size int64 // as stored, where it is compressed
	mod  time.Time
	why  string // why it must not be read; empty if it may be
}

// errRenamed means that the names in the directory changed each time it was listed.
var errRenamed = errors.New("the log files are renamed all the time")

// errNoLog means that the directory holds no log.
var errNoLog = errors.New("no log file")

// list returns the files of the log as they were at one moment, the oldest first. A
// rotation renames files one by one; therefore the directory is read until two listings are
// the same.
func (d *Dir) list() ([]file, error) {
	if !supported {
		return nil, errors.New("log files are read on Unix systems only")
	}
	const tries = 100
	var before listing
	for n := range tries {
		now, err := d.listOnce()
		if errors.Is(err, errRenamed) {
			continue
		}
		if err != nil {
			return nil, d.explain(err)
		}
		if n > 0 && now.same(before) {
			return d.order(now), nil
		}
		before = now
	}
	return nil, errRenamed
}

// listing is what the directory held when it was read once.
type listing struct {
	log   string
	files []file // by name
	index int    // number of the current file of a wrap log; 0 for other logs
}

func (s listing) same(o listing) bool {
	return s.log == o.log && s.index == o.index &&
		slices.EqualFunc(s.files, o.files, func(a, b file) bool { return a.name == b.name && a.id == b.id })
}

// unchanged reports whether the directory still holds the files as they were listed, and
// whether nothing has been added to those that are passed over: the first ones. The identity
// of a file does not show that: one that is truncated keeps its identity, and one that is
// removed leaves it to the next file.
func (d *Dir) unchanged(files []file, passedOver int) bool {
	now, err := d.listOnce()
	if err != nil {
		return false
	}
	listed := d.order(now)
	for i, f := range listed {
		if len(listed) != len(files) || f.name != files[i].name || f.id != files[i].id ||
			i < passedOver && f.size != files[i].size {
			return false
		}
	}
	return true
}

// listOnce reads the directory once.
func (d *Dir) listOnce() (listing, error) {
	names, err := d.names()
	if err != nil {
		return listing{}, err
	}
	s := listing{log: names.log}
	if names.index {
		s.index = d.readIndex(s.log)
	}
	for _, name := range names.files {
		info, err := os.Lstat(filepath.Join(d.path, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // it has been renamed since
		case err != nil:
			return listing{}, err
		}
		s.files = append(s.files, describe(name, info, names.owner))
	}
	switch {
	case len(names.files) == 0:
		return listing{}, errNoLog
	case len(s.files) == 0:
		return listing{}, errRenamed
	}
	return s, nil
}

// logNames are the names in a directory that belong to its log.
type logNames struct {
	log   string
	files []string // sorted
	index bool     // there is an index
	owner owner    // of the directory
}

func (d *Dir) names() (logNames, error) {
	f, err := os.Open(d.path)
	if err != nil {
		return logNames{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return logNames{}, err
	}
	forms, files := map[string]map[form]bool{}, map[string][]string{}
	for n := 0; n < maxNames; {
		names, err := f.Readdirnames(1024)
		n += len(names)
		for _, name := range names {
			collect(name, forms, files)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return logNames{}, err
		}
	}
	out := logNames{log: pick(forms)}
	_, out.owner = statOf(info)
	out.index = forms[out.log][indexForm]
	out.files = slices.Sorted(slices.Values(files[out.log]))
	return out, nil
}

// collect adds a name to its log.
func collect(name string, forms map[string]map[form]bool, files map[string][]string) {
	p := split(name)
	if forms[p.log] == nil {
		if len(forms) >= maxLogs && p.log != usualLog && p.log != consoleLog {
			return
		}
		forms[p.log] = map[form]bool{}
	}
	forms[p.log][p.form] = true
	if p.form != indexForm && p.form != sizesForm && len(files[p.log]) < maxFiles {
		files[p.log] = append(files[p.log], name)
	}
}

// describe returns what is known of a file without opening it.
func describe(name string, info fs.FileInfo, dir owner) file {
	f := file{name: name, part: split(name), size: info.Size(), mod: info.ModTime()}
	var of owner
	f.id, of = statOf(info)
	switch {
	case !info.Mode().IsRegular():
		f.why = "it is no regular file, and links are not followed"
	case !mayRead(dir, of, info.Mode()):
		f.why = "it belongs to somebody else than the directory, whose owner may not read it"
	}
	return f
}

// mayRead reports whether the owner of a directory may read a file in it. That user can
// move or link files into the directory; an agent with more rights must not read those for
// them. Root may read everything.
func mayRead(dir, of owner, mode fs.FileMode) bool {
	return dir.user == 0 || of.user == dir.user || mode&0o004 != 0 || of.group == dir.group && mode&0o040 != 0
}

// explain returns an error for people that says what is wrong with the directory.
func (d *Dir) explain(err error) error {
	switch {
	case errors.Is(err, errNoLog):
		return noLog{d.path}
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is not there; name the directory of EMQX's log files with --emqx-log-collection-dir: %w",
			d.path, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return forbidden{d.path}
	}
	return fmt.Errorf("%s cannot be read: %w", d.path, plain(err))
}

// plain removes the system call and the path from an error; the message has them already.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// noLog is the error for a directory without a log.
type noLog struct{ dir string }

func (e noLog) Error() string {
	return fmt.Sprintf("there is no log file of EMQX in %s; let EMQX log to files (log.to = file in 4.4, "+
		"log.file.enable = true in 5.x), or name the right directory with --emqx-log-collection-dir", e.dir)
}

// forbidden is the error for a log file or directory that the agent may not read.
type forbidden struct{ path string }

func (e forbidden) Error() string {
	return fmt.Sprintf("%s cannot be read by the user the agent runs as (uid %d); add that user to the group of the "+
		"log files", e.path, os.Getuid())
}

// Unwrap is fs.ErrPermission.
func (e forbidden) Unwrap() error { return fs.ErrPermission }

// order sorts the files of a log, the oldest first.
func (d *Dir) order(s listing) []file {
	files := onePerNumber(s.files)
	wrap := s.index > 0 && slices.ContainsFunc(files, func(f file) bool {
		return f.part.form == numberedForm && f.part.number == int64(s.index)
	})
	has := func(is func(part) bool) bool {
		return slices.ContainsFunc(files, func(f file) bool { return is(f.part) })
	}
	switch {
	case wrap:
		return orderWrap(files, int64(s.index))
	case has(func(p part) bool { return p.form == bareForm || p.form == numberedForm && p.number == 0 }):
		slices.SortStableFunc(files, rotated)
	default:
		d.orderByTime(files)
	}
	return files
}

// onePerNumber removes compressed files whose originals are still there.
func onePerNumber(files []file) []file {
	there := map[part]bool{}
	for _, f := range files {
		there[f.part] = true
	}
	return slices.DeleteFunc(slices.Clone(files), func(f file) bool {
		p := f.part
		p.gz = false
		return f.part.gz && there[p]
	})
}

// rotated compares files that a rotation renames: higher numbers are older, and the file
// without a number is the one that is written to.
func rotated(a, b file) int {
	rank := map[form]int{datedForm: 0, numberedForm: 1, bareForm: 2}
	if a.part.form != b.part.form {
		return rank[a.part.form] - rank[b.part.form]
	}
	if a.part.form == numberedForm {
		a, b = b, a
	}
	return int(min(1, max(-1, a.part.number-b.part.number)))
}

// orderWrap sorts the files of a wrap log. They are written one after the other, and the
// first follows the last. A file without a number is from a time without rotation.
func orderWrap(files []file, current int64) []file {
	round := func(f file) int64 {
		if f.part.number > current {
			return f.part.number - 1<<40 // of the round before
		}
		return f.part.number
	}
	var others []file
	numbered := slices.DeleteFunc(files, func(f file) bool {
		if f.part.form != numberedForm {
			others = append(others, f)
		}
		return f.part.form != numberedForm
	})
	slices.SortFunc(numbered, func(a, b file) int { return int(min(1, max(-1, round(a)-round(b)))) })
	slices.SortStableFunc(others, rotated)
	last := numbered[len(numbered)-1]
	later := slices.IndexFunc(others, func(f file) bool { return f.mod.After(last.mod) })
	if later < 0 {
		later = len(others)
	}
	return slices.Concat(others[:later], numbered, others[later:])
}

// orderByTime sorts files whose numbers do not define an order. It uses the first time in
// each file or, without one, the file's last change.
func (d *Dir) orderByTime(files []file) {
	first := map[string]time.Time{}
	for _, f := range files {
		first[f.name] = f.mod
		if at, ok := d.firstTime(f); ok {
			first[f.name] = at
		}
	}
	slices.SortStableFunc(files, func(a, b file) int {
		if c := first[a.name].Compare(first[b.name]); c != 0 {
			return c
		}
		return rotated(a, b)
	})
}
