package logs

import (
	"time"
)

// maxPassed is the largest number of files that a reader remembers.
const maxPassed = 2 * maxFiles

// record is what of a file has been read, or is not selected.
type record struct {
	id    fileID
	mark  Mark // up to where
	whole bool // all of it, whatever it holds
}

// headKey identifies files by their beginnings.
type headKey struct {
	size int
	head uint64
}

// passed holds what a reader has read. With it nothing is read twice, however files are
// renamed.
type passed struct {
	byHead map[headKey][]record
	order  []headKey            // of byHead, as added
	failed map[fileID]time.Time // files that could not be read, with their last changes
}

func (p *passed) add(r record) {
	if r.mark.size == 0 {
		return // an empty file; anything begins like it
	}
	key := headKey{r.mark.size, r.mark.head}
	p.byHead[key] = append(p.byHead[key], r)
	p.order = append(p.order, key)
	if len(p.order) > maxPassed {
		oldest := p.order[0]
		p.order = p.order[1:]
		if p.byHead[oldest] = p.byHead[oldest][1:]; len(p.byHead[oldest]) == 0 {
			delete(p.byHead, oldest)
		}
	}
}

// unreadable records a file that could not be read and that the reader does not wait for.
func (p *passed) unreadable(f file) {
	if p.failed == nil || len(p.failed) > maxPassed {
		p.failed = map[fileID]time.Time{}
	}
	p.failed[f.id] = f.mod
}

// isUnreadable reports whether a file could not be read and has not changed since.
func (p *passed) isUnreadable(f file) bool {
	mod, ok := p.failed[f.id]
	return ok && mod.Equal(f.mod)
}

// newIn returns where the part of a file begins that has not been read, and reports whether
// there is one. The zero Mark means that all of the file is new.
func (p *passed) newIn(c content) (from Mark, found bool, err error) {
	head, err := headOf(c)
	if err != nil || len(head) == 0 { // as what is unpacked of an empty file
		return Mark{}, false, err
	}
	sizes := map[int]bool{}
	for key := range p.byHead {
		sizes[key.size] = true
	}
	for size := range sizes {
		if size > len(head) {
			continue
		}
		for _, r := range p.byHead[headKey{size, sum(head[:size])}] {
			if r.whole || compare(c, r.mark) != exact {
				return Mark{}, false, nil // a copy that ends before, or what is left of the file itself
			}
			if r.mark.off > from.off {
				from = r.mark
			}
		}
	}
	if from.off == 0 {
		return Mark{}, true, nil
	}
	more, err := readAll(c, make([]byte, 1), from.off)
	return from, len(more) > 0, err
}
