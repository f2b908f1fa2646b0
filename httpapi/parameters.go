package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

// query describes a parameter of the query.
func query(name, says string, s *huma.Schema) *huma.Param {
	return &huma.Param{In: "query", Name: name, Description: says, Schema: s}
}

// describedTwice describes a parameter whose schema repeats the description, as the
// document always had it for the routes of clusters and operations.
func describedTwice(in, name, says string, s *huma.Schema) *huma.Param {
	s.Description = says
	p := &huma.Param{In: in, Name: name, Description: says, Schema: s, Required: in == "path"}
	if in == "query" {
		p.Explode = new(bool)
	}
	return p
}

// text is the schema of a parameter that is any text, or one of some words.
func text(words ...string) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, word := range words {
		s.Enum = append(s.Enum, word)
	}
	return s
}

// exampleText is the schema of a parameter that is any text, with examples.
func exampleText(examples ...any) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Examples: examples}
}

// timestamp is the schema of a parameter that is a time.
func timestamp() *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Pattern: `^[0-9]{4}-`}
}

// boolean describes a parameter that is true or false.
func boolean(name, says string) *huma.Param {
	return query(name, says, &huma.Schema{Type: huma.TypeBoolean})
}

// dryRun describes the parameter of commands that only plan.
func dryRun() *huma.Param { return boolean("dryRun", "say what would be done, and do nothing") }

func number(n float64) *float64 { return &n }

func badParameter(wrong ...fieldView) *problemView {
	return newProblem(ecp.CodeInvalid, "a parameter is not valid", wrong...)
}

// badBody is the problem of one field of a body.
func badBody(pointer, detail string) *problemView {
	return newProblem(ecp.CodeInvalid, "the body is not valid", fieldView{pointer, detail})
}

// readBool reads a parameter that is true or false; false if it is left out.
func readBool(r *http.Request, name string) (bool, *problemView) {
	switch r.URL.Query().Get(name) {
	case "":
		return false, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, badParameter(fieldView{"/query/" + name, "is neither true nor false"})
}

// readTime reads a parameter that is a time; the zero time if it is left out.
func readTime(r *http.Request, name string) (t time.Time, wrong []fieldView) {
	if query := r.URL.Query(); query.Has(name) {
		var err error
		if t, err = time.Parse(time.RFC3339, query.Get(name)); err != nil {
			return t, []fieldView{{"/query/" + name, "is not a time such as 2026-01-02T03:04:05Z"}}
		}
	}
	return t, nil
}

// readDuration reads a parameter that is a duration; 0 if it is left out.
func readDuration(r *http.Request, name string, least, most time.Duration) (time.Duration, *problemView) {
	query := r.URL.Query()
	if !query.Has(name) {
		return 0, nil
	}
	d, err := time.ParseDuration(query.Get(name))
	if err != nil || d < least || d > most {
		return 0, badParameter(fieldView{"/query/" + name,
			"is not a duration from " + least.String() + " to " + most.String() + ", such as 1h or 90s"})
	}
	return d, nil
}

// checkWord refuses a filter that can match nothing; an empty one filters nothing.
func checkWord(name, value string, allowed []string) []fieldView {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return []fieldView{{"/query/" + name, "is none of " + strings.Join(allowed, ", ")}}
}

// words are the texts of a list of named values.
func words[T ~string](values ...T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
