package agentproto

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of texts that one side sends to the other, in bytes.
const (
	maxID      = 64   // agent and instance ids
	maxWord    = 255  // other fields of a Hello
	maxMessage = 2048 // texts for people
)

// validID reports whether s can be the id of an agent or an instance: letters,
// digits, '-', '_' and '.', at most 64.
func validID(s string) bool {
	return s != "" && len(s) <= maxID && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	}) < 0
}

// cleanText makes a text of the other side safe for terminals and logs: it removes control
// characters, and those that change the direction of text, and returns at most max bytes.
// Line ends become spaces.
func cleanText(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == utf8.RuneError || unicode.In(r, unicode.C, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, s)
	for len(s) > max {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:min(len(s)-size, max)]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return strings.TrimSpace(s)
}

// cleaned returns the Hello with printable texts.
func (h Hello) cleaned() Hello {
	for _, field := range []*string{&h.Version, &h.OS, &h.Arch, &h.Hostname, &h.Node, (*string)(&h.Tunnel),
		&h.CarrierWhy} {
		*field = cleanText(*field, maxWord)
	}
	return h
}

// cleaned returns the refusal with a printable message.
func (r *Refusal) cleaned() *Refusal {
	return &Refusal{Code: RefusalCode(cleanText(string(r.Code), maxID)), Message: cleanText(r.Message, maxMessage),
		RetryAfter: r.RetryAfter}
}
