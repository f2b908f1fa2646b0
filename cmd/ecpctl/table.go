package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// column is one column of a table.
type column struct {
	head string
	path string // of the object
	wide bool   // only with -o wide, and where one thing is shown
	// least is how wide it is at least, where rows are printed one by one.
	least    int
	restless bool // changes all the time
	show     func(a *app, o object, path string) string
}

func (c column) text(a *app, o object) string {
	text := o.text(c.path)
	if c.show != nil {
		text = c.show(a, o, c.path)
	}
	return strings.Map(func(r rune) rune { // nothing that a name holds moves the cursor
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// ago shows how long ago something was.
func ago(_ *app, o object, path string) string {
	at, err := time.Parse(time.RFC3339Nano, o.text(path))
	if err != nil {
		return ""
	}
	return roundly(time.Since(at))
}

// clock shows a time in the zone of the person who reads it.
func clock(_ *app, o object, path string) string {
	at, err := time.Parse(time.RFC3339Nano, o.text(path))
	if err != nil {
		return ""
	}
	return at.Local().Format("2006-01-02 15:04:05")
}

// roundly shows a duration in its largest unit.
func roundly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "0s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

// count shows how many there are.
func count(_ *app, o object, path string) string {
	list, _ := o.at(path).([]any)
	return fmt.Sprint(len(list))
}

// state shows the state of a cluster in the person's language; the English one is the word
// that filters take.
func state(a *app, o object, path string) string {
	if a.flags.lang == chinese {
		if label := o.text("status.label.zh"); label != "" {
			return label
		}
	}
	text := o.text(path)
	if stale, _ := o.at("status.stale").(bool); stale {
		text += " (stale)"
	}
	return text
}

// over shows one number of another.
func over(other string) func(*app, object, string) string {
	return func(_ *app, o object, path string) string { return o.text(path) + "/" + o.text(other) }
}

// nodes shows how many nodes of a cluster are ready. Of an adopted one they are all that
// are known.
func nodes(_ *app, o object, path string) string {
	all := o.text("spec.nodes")
	if all == "" {
		all = count(nil, o, "status.nodes")
	}
	if o.at(path) == nil {
		return "-/" + all
	}
	return o.text(path) + "/" + all
}

// Colours of states, on a terminal.
const (
	green, yellow, red, grey = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[90m"
	reset                    = "\x1b[0m"
)

// colourOf returns the colour of a state or phase.
func colourOf(word string) string {
	switch word {
	case string(ecp.Running), string(ecp.PhaseSucceeded), "True":
		return green
	case string(ecp.Degraded), string(ecp.Abnormal), string(ecp.PhaseFailed), string(ecp.Nonexistent), "False":
		return red
	case string(ecp.Stopped), string(ecp.Gone), string(ecp.PhaseCancelled), string(ecp.PhaseSuperseded):
		return grey
	}
	return yellow
}

// colours reports whether stdout takes colours.
func (a *app) colours() bool {
	return a.shows && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb"
}

// painted returns a text in the colour of what it says, if it is a state.
func (a *app) painted(c column, o object, text string) string {
	if !a.colours() || c.head != "STATE" && c.head != "PHASE" {
		return text
	}
	return colourOf(o.text(c.path)) + text + reset
}

// chunk is how many rows of a table are held to find the widths of its columns.
const chunk = 500

// table prints rows in columns that are as wide as what is in them. The widths are those
// of the rows so far: a long list is not held.
type table struct {
	a       *app
	columns []column
	rows    [][]string // of the chunk
	objects []object
	widths  []int
	headed  bool
}

func newTable(a *app, columns []column) *table {
	t := &table{a: a, columns: columns}
	for _, c := range columns {
		t.widths = append(t.widths, max(cells(a.head(c)), c.least))
	}
	return t
}

func (t *table) add(o object) error {
	row := make([]string, len(t.columns))
	for i, c := range t.columns {
		row[i] = c.text(t.a, o)
		t.widths[i] = max(t.widths[i], cells(row[i]))
	}
	t.rows, t.objects = append(t.rows, row), append(t.objects, o)
	if len(t.rows) < chunk {
		return nil
	}
	return t.flush()
}

func (t *table) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	widths := fit(t.widths, t.a.width)
	var b strings.Builder
	if !t.headed {
		t.headed = true
		heads := make([]string, len(t.columns))
		for i, c := range t.columns {
			heads[i] = t.a.head(c)
		}
		t.line(&b, heads, widths, nil)
	}
	for i, row := range t.rows {
		t.line(&b, row, widths, &t.objects[i])
	}
	t.rows, t.objects = t.rows[:0], t.objects[:0]
	_, err := t.a.out.Write([]byte(b.String()))
	return err
}

// line writes one row; that of an object is painted.
func (t *table) line(b *strings.Builder, row []string, widths []int, o *object) {
	gap := ""
	for i, text := range row {
		text = shortened(text, widths[i])
		if text == "" {
			gap += strings.Repeat(" ", widths[i]+2)
			continue
		}
		b.WriteString(gap)
		gap = strings.Repeat(" ", widths[i]-cells(text)+2)
		if o != nil {
			text = t.a.painted(t.columns[i], *o, text)
		}
		b.WriteString(text)
	}
	b.WriteByte('\n')
}

// narrowest is how narrow a column is made to fit a terminal, in cells.
const narrowest = 8

// fit takes width from the widest columns until all fit into so many cells; 0 = any number.
func fit(widths []int, room int) []int {
	out := append([]int(nil), widths...)
	if room <= 0 {
		return out
	}
	for {
		sum, widest := 2*(len(out)-1), 0
		for i, w := range out {
			sum += w
			if w > out[widest] {
				widest = i
			}
		}
		if sum <= room || out[widest] <= narrowest {
			return out
		}
		out[widest]--
	}
}

// shortened returns a text of at most so many cells.
func shortened(text string, width int) string {
	if cells(text) <= width {
		return text
	}
	var b strings.Builder
	used := 1 // of the dots
	for _, r := range text {
		if used += runeCells(r); used > width {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + "…"
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-cells(text), 0))
}

// cells is how many columns of a terminal a text takes.
func cells(text string) int {
	n := 0
	for _, r := range text {
		n += runeCells(r)
	}
	return n
}

// wide are the runes that take two cells: East Asian ones and emoji.
var wide = [][2]rune{
	{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f},
	{0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
}

func runeCells(r rune) int {
	for _, w := range wide {
		if r >= w[0] && r <= w[1] {
			return 2
		}
	}
	return 1
}
