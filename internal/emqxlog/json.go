package emqxlog

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// parseJSON reads an object with a level and a time, which both majors write. It returns
// false for any other line.
func parseJSON(line string) (Entry, bool) {
	if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}") {
		return Entry{}, false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(line), &members) != nil {
		return Entry{}, false
	}
	e := Entry{Level: Level(textOf(members["level"]))}
	if !e.Level.Valid() {
		return Entry{}, false
	}
	if at, ok := readStamp(textOf(members["time"])); ok {
		e.At, e.Zoned = at.at, at.zoned
	}
	e.Message = textOf(members["msg"])
	names := make([]string, 0, len(members))
	for name := range members {
		if name != "level" && name != "time" && name != "msg" && len(name) <= maxName {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names[:min(len(names), maxFields)] {
		e.set(clean(name), textOf(members[name]))
	}
	return e, true
}

// textOf returns the content of a string, and the JSON text of any other value.
func textOf(v json.RawMessage) string {
	var s string
	if bytes.HasPrefix(v, []byte(`"`)) && json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}
