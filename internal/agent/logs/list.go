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

// What is looked at in a directory at most.
const (
	maxNames = 100_000 // entries
	maxLogs  = 64      // different logs
	maxFiles = 4096    // files of one log
)

// fileID tells a file from every other one while somebody has it open, whatever its
// name.
type fileID struct{ device, inode uint64 }

// owner is whom a file or directory belongs to.
type owner struct{ user, group uint32 }

// file is a file of the log as it was seen.
type file struct {
	name string
	part part
	id   fileID
	size int64 // as stored, where it is compressed
	mod  time.Time
	why  string // why it is not read; empty where it may be
}

// errRenamed: no moment was found at which the directory stood still.
var errRenamed = errors.New("the log files are renamed all the time")

// errNoLog: the directory holds no log.
var errNoLog = errors.New("no log file")

// list returns the files of the log as they were at one moment, the oldest first.
// Names change hands one by one in a rotation; so the directory is read until it is
// found the same twice.
func (d *Dir) list() ([]file, error) {
	if !supported {
		return nil, errors.New("log files are read on Unix systems only")
	}
	const tries = 100
	var before seen
	for n := range tries {
		now, err := d.look()
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

// seen is a directory at a look.
type seen struct {
	log   string
	files []file // by name
	index int    // number of the current file of a wrap log; 0 means that it is no wrap log
}

func (s seen) same(o seen) bool {
	return s.log == o.log && s.index == o.index &&
		slices.EqualFunc(s.files, o.files, func(a, b file) bool { return a.name == b.name && a.id == b.id })
}

// look reads the directory once.
func (d *Dir) look() (seen, error) {
	names, err := d.names()
	if err != nil {
		return seen{}, err
	}
	s := seen{log: names.log}
	if names.index {
		s.index = d.readIndex(s.log)
	}
	for _, name := range names.files {
		info, err := os.Lstat(filepath.Join(d.path, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // it has been renamed since
		case err != nil:
			return seen{}, err
		}
		s.files = append(s.files, describe(name, info, names.owner))
	}
	if len(s.files) == 0 {
		return seen{}, errNoLog
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

// collect sorts a name under its log.
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

// describe says what is known of a file without opening it.
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

// mayRead reports whether the owner of a directory may read a file in it. What this
// user can move or link into the directory is not read out for it by an agent that may
// read more. Root may read everything.
func mayRead(dir, of owner, mode fs.FileMode) bool {
	return dir.user == 0 || of.user == dir.user || mode&0o004 != 0 || of.group == dir.group && mode&0o040 != 0
}

// explain says for people what is wrong with the directory.
func (d *Dir) explain(err error) error {
	switch {
	case errors.Is(err, errNoLog):
		return noLog{d.path}
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is not there; name the directory of EMQX's log files with --emqx-log-collection-dir: %w", d.path, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return forbidden{d.path}
	}
	return fmt.Errorf("%s cannot be read: %w", d.path, plain(err))
}

// plain takes the name of a call and its path away, which the message has already.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// noLog says that a directory holds no log.
type noLog struct{ dir string }

func (e noLog) Error() string {
	return fmt.Sprintf("there is no log file of EMQX in %s; let EMQX log to files (log.to = file in 4.4, log.file.enable = true in 5.x), or name the right directory with --emqx-log-collection-dir", e.dir)
}

// forbidden says that a log file or its directory may not be read.
type forbidden struct{ path string }

func (e forbidden) Error() string {
	return fmt.Sprintf("%s cannot be read by the user the agent runs as (uid %d); add that user to the group of the log files", e.path, os.Getuid())
}

// Unwrap is fs.ErrPermission.
func (e forbidden) Unwrap() error { return fs.ErrPermission }

// order sorts the files of a log, the oldest first.
func (d *Dir) order(s seen) []file {
	files := onePerNumber(s.files)
	wrap := s.index > 0 && slices.ContainsFunc(files, func(f file) bool { return f.part.form == numberedForm && f.part.number == int64(s.index) })
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

// onePerNumber leaves out what is compressed beside the file that it is made of.
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

// rotated compares the files of a log that are renamed in a rotation: higher numbers
// are older, and the one without a number is written to.
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

// orderWrap sorts the files of a wrap log, which are written one after the other, the
// first again after the last. One without a number is of a time without rotation.
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

// orderByTime sorts files whose numbers tell nothing by their first times, else by
// their last changes.
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
