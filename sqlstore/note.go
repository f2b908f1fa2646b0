package sqlstore

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// note is what the file of the lock says of the process that has it, or had it
// last: a copy of the database does not have it.
type note struct {
	pid         int
	incarnation string
	// place tells this very file from every copy of it: host's boot, device,
	// number of the file; "" = the system does not tell.
	place string
	// dead are incarnations that had the lock before; making: a new database is
	// being made, and may still be empty.
	dead   []string
	making bool
}

// deadKept bounds how many incarnations are remembered that have ended.
const deadKept = 16

// takeNote makes the note of this process, which has just got the lock, from
// that of the one before. That one has ended where it held the lock of this very
// file since the machine was started: a lock is had by one process at a time.
// Of a copy of the folder, or on another machine, nothing is known.
func takeNote(f *os.File) (note, error) {
	before := readNote(f)
	n := note{pid: os.Getpid(), incarnation: newIncarnation(), place: placeOf(f), making: before.making}
	if n.place != "" && n.place == before.place && before.incarnation != "" {
		n.dead = append(before.dead, before.incarnation)
		n.dead = n.dead[max(0, len(n.dead)-deadKept):]
	}
	return n, n.write(f)
}

func newIncarnation() string {
	b := make([]byte, 8)
	rand.Read(b) // never fails: the program ends instead
	return hex.EncodeToString(b)
}

// readNote reads what stands in the file; what it does not say is zero.
func readNote(f *os.File) (n note) {
	lines := bufio.NewScanner(io.NewSectionReader(f, 0, 16<<10))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		switch key {
		case "incarnation":
			n.incarnation = value
		case "place":
			n.place = value
		case "dead":
			n.dead = append(n.dead, value)
		case "making":
			n.making = true
		default:
			if pid, err := strconv.Atoi(key); err == nil {
				n.pid = pid
			}
		}
	}
	return n
}

func (n note) write(f *os.File) error {
	text := fmt.Sprintf("%d\nincarnation %s\n", n.pid, n.incarnation)
	if n.place != "" {
		text += "place " + n.place + "\n"
	}
	for _, d := range n.dead {
		text += "dead " + d + "\n"
	}
	if n.making {
		text += "making\n"
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// bootID is where Linux says which start of the machine this is.
const bootID = "/proc/sys/kernel/random/boot_id"

func placeOf(f *os.File) string {
	boot, err := os.ReadFile(bootID)
	file := fileIdentity(f)
	if err != nil || file == "" {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "/" + file
}

// Incarnation tells the process that opened the Store from every other. It is
// minted by Open and is no part of the database: copies do not share it.
func (s *Store) Incarnation() string {
	own, _ := s.engine.incarnation()
	return own
}

// Dead are the incarnations of processes that had this very folder before, and
// have ended: the lock says so. Processes with a copy of it are none of them. Of
// PostgreSQL nobody can say that, and there are none.
func (s *Store) Dead() []string {
	_, dead := s.engine.incarnation()
	return slices.Clone(dead)
}
