package ecp

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what can be asked for.
const (
	MaxName        = 200 // characters of a cluster's name
	MaxDescription = 500 // characters of a description
	MaxNodes       = 7   // nodes of a hosted cluster
	MaxConnections = 100_000_000
)

// FieldErrors collects what is wrong with a request, field by field.
type FieldErrors []FieldError

// Add notes that a field, named as in the request, is wrong; the message goes on after
// the name, as in "is 0; at least 1 is wanted".
func (p *FieldErrors) Add(field, format string, args ...any) {
	*p = append(*p, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// Err gives an invalid error that names every field; nil if there is none.
func (p FieldErrors) Err(op string) error {
	if len(p) == 0 {
		return nil
	}
	return &Error{Code: CodeInvalid, Op: op, Message: "the request is not valid", Fields: p}
}

// ValidateName says what is wrong with a cluster's name; "" if nothing. A name
// has 1 to 200 characters: letters of any script, digits, space, "-" and "_",
// with no space at either end.
func ValidateName(name string) string {
	if !utf8.ValidString(name) {
		return "is not valid UTF-8"
	}
	n := utf8.RuneCountInString(name)
	if n == 0 {
		return "is missing; give 1 to 200 characters"
	}
	if n > MaxName {
		return fmt.Sprintf("has %d characters; at most %d are allowed", n, MaxName)
	}
	before := ' '
	for _, r := range name {
		if !inName(before, r) {
			return fmt.Sprintf("has the character %q; letters, digits, space, \"-\" and \"_\" are allowed", r)
		}
		before = r
	}
	if strings.TrimSpace(name) != name {
		return "begins or ends with a space"
	}
	if c := composedName(name); c != name { // else two names would look the same
		return fmt.Sprintf("has letters and their accents as characters of their own; write it as %q", c)
	}
	return ""
}

// inName says whether a name may have r after another character. Many scripts
// write vowels and accents as marks of their own: they belong to the letter
// before them. What nobody can see is left out, so that names which look the
// same are the same.
func inName(before, r rune) bool {
	switch {
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return false
	case unicode.In(r, unicode.Mn, unicode.Mc):
		return unicode.IsLetter(before) || unicode.In(before, unicode.Mn, unicode.Mc)
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == ' ' || r == '-' || r == '_'
}

var projectForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidateProject says what is wrong with the form of a project's path; "" if nothing.
func ValidateProject(path string) string {
	if projectForm.MatchString(path) {
		return ""
	}
	return `is not of the form "org/project" (lower-case letters, digits and "-")`
}

// containerPorts maps each protocol to the port EMQX listens on for good.
var containerPorts = map[Protocol]int{MQTT: 1883, MQTTS: 8883, WS: 8083, WSS: 8084}

// Protocols lists the protocols in the order listeners are shown.
func Protocols() []Protocol { return []Protocol{MQTT, MQTTS, WS, WSS} }

// ContainerPort is the port EMQX listens on for the protocol; 0 if there is no
// such protocol.
func (p Protocol) ContainerPort() int { return containerPorts[p] }
