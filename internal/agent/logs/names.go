package logs

import (
	"strconv"
	"strings"
)

// The names of EMQX's logs, without what a rotation appends.
const (
	usualLog   = "emqx.log"   // of log.file in both majors
	consoleLog = "erlang.log" // output of a daemon; it is the log if EMQX writes no other file
)

// otherLogs are files beside the log that are no log of the broker.
var otherLogs = map[string]bool{"audit.log": true, "run_erl.log": true, consoleLog: true}

// form is the role of a file in a log.
type form int

const (
	bareForm     form = iota // emqx.log
	numberedForm             // emqx.log.3: of a wrap log, or rotated
	datedForm                // emqx.log-20240320, as logrotate writes with dateext
	indexForm                // emqx.log.idx: the number of the current file of a wrap log
	sizesForm                // emqx.log.siz: its limits
)

// part is what the name of a file tells about it.
type part struct {
	log    string // whose file it is
	form   form
	number int64
	gz     bool
}

// split parses the name of a file.
func split(name string) part {
	if log, ok := strings.CutSuffix(name, ".idx"); ok {
		return part{log: log, form: indexForm}
	}
	if log, ok := strings.CutSuffix(name, ".siz"); ok {
		return part{log: log, form: sizesForm}
	}
	plain, gz := strings.CutSuffix(name, ".gz")
	if log, n, ok := digitsAfter(plain, '.', 1, 9); ok {
		return part{log: log, form: numberedForm, number: n, gz: gz}
	}
	if log, n, ok := digitsAfter(plain, '-', 8, 14); ok {
		return part{log: log, form: datedForm, number: n, gz: gz}
	}
	return part{log: plain, form: bareForm, gz: gz}
}

// digitsAfter cuts a separator and the number behind it off a name.
func digitsAfter(name string, sep byte, least, most int) (string, int64, bool) {
	i := strings.LastIndexByte(name, sep)
	if i <= 0 {
		return "", 0, false
	}
	digits := name[i+1:]
	if len(digits) < least || len(digits) > most || strings.Trim(digits, "0123456789") != "" {
		return "", 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return name[:i], n, err == nil
}

// pick chooses the log of a directory from the forms of files that each log has. It prefers
// EMQX's usual log, then the only other one, then the output of a daemon. It returns an
// empty name if there is no log, or if it is not clear which of several it is.
func pick(logs map[string]map[form]bool) string {
	if hasFiles(logs[usualLog]) {
		return usualLog
	}
	var wrap, named []string
	for log, forms := range logs {
		switch {
		case otherLogs[log] || !hasFiles(forms):
		case forms[indexForm] && forms[sizesForm]:
			wrap = append(wrap, log)
		case strings.HasSuffix(log, ".log"):
			named = append(named, log)
		}
	}
	switch {
	case len(wrap) == 1:
		return wrap[0]
	case len(wrap) == 0 && len(named) == 1:
		return named[0]
	case hasFiles(logs[consoleLog]):
		return consoleLog
	}
	return ""
}

func hasFiles(forms map[form]bool) bool {
	return forms[bareForm] || forms[numberedForm] || forms[datedForm]
}
