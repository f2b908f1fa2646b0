package emqxlog

import (
	"net/netip"
	"strings"
)

// The most fields that are read of one line, and the length of the longest name of a field.
const (
	maxFields = 64
	maxName   = 64
)

// parseText reads "<time> [<level>] <rest>", which both majors write. It returns false if
// the line has no such head.
func parseText(line string) (Entry, bool) {
	i := strings.Index(line[:min(len(line), maxStamp+2)], " [")
	if i < 0 {
		return Entry{}, false
	}
	at, ok := readStamp(line[:i])
	word, rest, closed := strings.Cut(line[i+2:], "]")
	if !ok || !closed || !Level(word).Valid() {
		return Entry{}, false
	}
	e := Entry{At: at.at, Zoned: at.zoned, Level: Level(word)}
	rest = e.takePeer(strings.TrimPrefix(rest, " "))
	e.takePairs(rest)
	return e, true
}

// shutdownWords end the line that EMQX 5 writes at a normal shutdown. It has a time and no
// level.
const shutdownWords = " received_terminate_signal, shutting down now."

// parseShutdown reads that line. A time at the head of any other line means nothing, since
// programs print such lines, too.
func parseShutdown(line string) (Entry, bool) {
	stamp, ok := strings.CutSuffix(line, shutdownWords)
	if !ok {
		return Entry{}, false
	}
	at, ok := readStamp(stamp)
	return Entry{At: at.at, Zoned: at.zoned, Message: strings.TrimSpace(shutdownWords)}, ok
}

// takePeer reads the client of the entry, which EMQX 4 writes before the message:
// "clientid@peer " or "peer ". A client id alone cannot be distinguished from the first
// word of a message and stays there.
func (e *Entry) takePeer(rest string) string {
	word, after, ok := strings.Cut(rest, " ")
	if !ok {
		return rest
	}
	i := strings.LastIndexByte(word, '@')
	if _, err := netip.ParseAddrPort(word[i+1:]); err != nil {
		return rest
	}
	e.set("peername", word[i+1:])
	if i > 0 {
		e.set("clientid", word[:i])
	}
	return after
}

// takePairs reads "key: value, key: value", as EMQX 5 writes it. A value ends before ", "
// and another key. Any other text is a message.
func (e *Entry) takePairs(rest string) {
	key, value, ok := pair(rest)
	if !ok || !strings.Contains(rest, "msg: ") {
		e.Message = rest
		return
	}
	for n := 0; n < maxFields; n++ {
		end, next, nextValue := len(value), "", ""
		for from := 0; ; {
			i := strings.Index(value[from:], ", ")
			if i < 0 {
				break
			}
			from += i + 2
			if k, v, ok := pair(value[from:]); ok {
				end, next, nextValue = from-2, k, v
				break
			}
		}
		if key == "msg" && e.Message == "" {
			e.Message = value[:end]
		} else {
			e.set(key, value[:end])
		}
		if next == "" {
			break
		}
		key, value = next, nextValue
	}
	if e.Message == "" {
		e.Message = rest
	}
}

// pair removes "key: " from the beginning of a text.
func pair(s string) (key, rest string, ok bool) {
	i := strings.Index(s[:min(len(s), maxName+2)], ": ")
	if i <= 0 {
		return "", "", false
	}
	for j := range i {
		c := s[j]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (j == 0 || c < '0' || c > '9') {
			return "", "", false
		}
	}
	return s[:i], s[i+2:], true
}

// set stores a field. The first one of a name counts.
func (e *Entry) set(key, value string) {
	if e.Fields == nil {
		e.Fields = map[string]string{}
	}
	if _, there := e.Fields[key]; !there {
		e.Fields[key] = value
	}
}
