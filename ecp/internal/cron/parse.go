package cron

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Schedule is when something is due, in the wall clock time of a zone. Its zero value
// is never due.
type Schedule struct {
	fields [5]set
	either bool // both days are restricted: one of them is enough, as Vixie's cron has it
	zone   *time.Location
}

// set has the bit of every value that a field allows.
type set uint64

func (s set) has(value int) bool { return s&(1<<value) != 0 }

// values lists what a set allows, upwards.
func (s set) values() (out []int) {
	for v := range 64 {
		if s.has(v) {
			out = append(out, v)
		}
	}
	return out
}

// field is what is known of one of the five fields.
type field struct {
	name     string
	min, max int
	names    []string // of the values from min on
}

const (
	minute = iota
	hour
	day
	month
	weekday
)

var fields = [5]field{
	minute: {"minute", 0, 59, nil},
	hour:   {"hour", 0, 23, nil},
	day:    {"day of the month", 1, 31, nil},
	month: {"month", 1, 12, []string{
		"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	weekday: {"weekday", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}, // 7 is Sunday, too
}

// Parse reads a schedule such as "0 20 * * 1-5": minute, hour, day of the month, month
// and weekday. A field is *, a value, a range such as 1-5 or mon-fri, either of * and a
// range with a step such as */15, or a list of these. A nil zone is UTC.
func Parse(text string, zone *time.Location) (Schedule, error) {
	if zone == nil {
		zone = time.UTC
	}
	words := strings.Fields(text)
	if len(words) != len(fields) {
		return Schedule{}, fmt.Errorf("is %q, which has %d fields; five are wanted, such as \"0 20 * * 1-5\": "+
			"minute, hour, day of the month, month, weekday", text, len(words))
	}
	s := Schedule{zone: zone}
	for i, f := range fields {
		var err error
		if s.fields[i], err = f.parse(words[i]); err != nil {
			return Schedule{}, fmt.Errorf("is %q, whose %s %w", text, f.name, err)
		}
	}
	if s.fields[weekday].has(7) {
		s.fields[weekday] |= 1
	}
	s.either = !strings.HasPrefix(words[day], "*") && !strings.HasPrefix(words[weekday], "*")
	return s, nil
}

// parse reads one field.
func (f field) parse(text string) (out set, err error) {
	for part := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(part, "/")
		from, to, ranged := strings.Cut(span, "-")
		low, high, each := f.min, f.max, 1
		switch {
		case span == "*" && f.max == 7:
			high = 6
		case span == "*":
		default:
			if low, err = f.value(from); err != nil {
				return 0, err
			}
			if high = low; ranged {
				high, err = f.value(to)
			}
			if err != nil {
				return 0, err
			}
			if f.max == 7 && high == 0 && low > 0 { // a week that ends with Sunday
				high = 7
			}
		}
		if low > high {
			return 0, fmt.Errorf("%q runs backwards", part)
		}
		if stepped {
			if each, err = strconv.Atoi(step); err != nil || each < 1 || each > f.max {
				return 0, fmt.Errorf("%q has a step that is no number from 1 to %d", part, f.max)
			}
			if span != "*" && !ranged {
				return 0, fmt.Errorf("%q has a step without a range; write %s-%d/%s", part, span, f.max, step)
			}
		}
		for v := low; v <= high; v += each {
			out |= 1 << v
		}
	}
	return out, nil
}

// value reads a number or a name.
func (f field) value(text string) (int, error) {
	if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
		return i + f.min, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < f.min || v > f.max || strings.TrimLeft(text, "0123456789") != "" {
		also := ""
		if f.names != nil {
			also = ", or a name such as " + f.names[1]
		}
		return 0, fmt.Errorf("%q is no number from %d to %d%s", text, f.min, f.max, also)
	}
	return v, nil
}
