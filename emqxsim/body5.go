package emqxsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// input is a field of a request's body: what it must be, in the broker's words, and the
// check for that. A nil check accepts anything.
type input struct {
	name     string
	required bool
	expected string
	ok       func(v any) bool
}

func isString(v any) bool { _, ok := v.(string); return ok }
func isBool(v any) bool   { _, ok := v.(bool); return ok }

func isPositive(v any) bool {
	f, ok := v.(float64)
	return ok && f > 0 && f == math.Trunc(f)
}

func isInteger(v any) bool {
	f, ok := v.(float64)
	return ok && f == math.Trunc(f)
}

func isNumberOverOne(v any) bool {
	f, ok := v.(float64)
	return ok && f >= 1
}

func isNames(v any) bool {
	list, ok := v.([]any)
	return ok && !slices.ContainsFunc(list, func(e any) bool { return !isString(e) })
}

func isDuration(v any) bool { _, ok := durationOf(v); return ok }

// durationOf reads a duration such as "60s". A number is in seconds.
func durationOf(v any) (time.Duration, bool) {
	switch v := v.(type) {
	case float64:
		return time.Duration(v * float64(time.Second)), v >= 0
	case string:
		d, err := time.ParseDuration(strings.TrimSpace(v))
		return d, err == nil && d >= 0
	}
	return 0, false
}

// invalid refuses a value. The members of the message are in the broker's order.
func invalid(value any, expected, path string) answer {
	v, err := json.Marshal(value)
	if err != nil {
		panic(err) // came out of JSON
	}
	return bad5(fmt.Sprintf(`{"value":%s,"reason":{"expected":%q},"path":%q,"kind":"validation_error"}`, v, expected,
		path))
}

func missing(path string) answer {
	return bad5(fmt.Sprintf(`{"reason":"required_field","path":%q,"kind":"validation_error"}`, path))
}

// object reads a JSON object from the body and checks it. prefix precedes names in
// messages. Unknown names are refused, unless spec has a field "".
func (q *request) object(prefix string, spec []input) (obj, *answer) {
	in, bad := q.jsonBody()
	if bad != nil {
		return nil, bad
	}
	o, ok := in.(map[string]any)
	if !ok {
		a := bad5("Invalid json message received") // the message for anything but an object is not recorded
		return nil, &a
	}
	if a := checked(o, prefix, spec); a != nil {
		return nil, a
	}
	return o, nil
}

func checked(o obj, prefix string, spec []input) *answer {
	known := []string{}
	for _, f := range spec {
		known = append(known, f.name)
		v, given := o[f.name]
		switch {
		case !given && f.required:
			a := missing(prefix + f.name)
			return &a
		case given && f.ok != nil && !f.ok(v):
			a := invalid(v, f.expected, prefix+f.name)
			return &a
		}
	}
	if slices.Contains(known, "") {
		return nil
	}
	for name := range o {
		if !slices.Contains(known, name) {
			a := unknownField(name, "root", spec)
			return &a
		}
	}
	return nil
}

// unknownField refuses a field. The form is that of PUT /configs; for other bodies it is
// not recorded.
func unknownField(name, path string, spec []input) answer {
	known := []string{}
	for _, f := range spec {
		if f.name != "" && f.name != name {
			known = append(known, f.name)
		}
	}
	return bad5(fmt.Sprintf(`{"unmatched":%q,"unknown":%q,"reason":"unknown_fields","path":%q,`+
		`"kind":"validation_error"}`,
		strings.Join(known, ","), name, path))
}

// jsonBody reads the body, which must have the content type of JSON.
func (q *request) jsonBody() (any, *answer) {
	var in any
	if kind := q.Header.Get("Content-Type"); (kind != "" || len(q.body) > 0) &&
		!strings.HasPrefix(kind, "application/json") {
		a := fail5(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "content-type:application/json Required")
		return nil, &a
	}
	if err := json.Unmarshal(q.body, &in); err != nil {
		a := bad5("Invalid json message received")
		return nil, &a
	}
	return in, nil
}

// optional is like object but accepts an empty body.
func (q *request) optional(prefix string, spec []input) (obj, *answer) {
	if len(bytes.TrimSpace(q.body)) == 0 {
		return obj{}, nil
	}
	return q.object(prefix, spec)
}

func (o obj) text(key string) string { s, _ := o[key].(string); return s }

func (o obj) flag(key string, otherwise bool) bool {
	if b, ok := o[key].(bool); ok {
		return b
	}
	return otherwise
}

func (o obj) number(key string, otherwise int) int {
	if f, ok := o[key].(float64); ok {
		return int(f)
	}
	return otherwise
}

func (o obj) names(key string) []string {
	list, _ := o[key].([]any)
	out := []string{}
	for _, e := range list {
		out = append(out, fmt.Sprint(e))
	}
	return out
}

// page is the part of a list that a query asks for.
type page struct{ page, limit int }

// largestPage is the most rows of one page.
const largestPage = 10000

// paging reads page and limit from the query.
func (q *request) paging() (page, *answer) {
	p := page{1, 100}
	read := func(name string, to *int, expected string, most int) *answer {
		s := q.URL.Query().Get(name)
		if s == "" {
			return nil
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			a := invalid(s, expected, name)
			return &a
		}
		if n < 1 || n > most {
			a := invalid(n, expected, name)
			return &a
		}
		*to = n
		return nil
	}
	if a := read("page", &p.page, "pos_integer()", math.MaxInt32); a != nil {
		return p, a
	}
	return p, read("limit", &p.limit, "1..10000", largestPage)
}

// uncounted are filters with which the broker does not count the matching rows. For the
// last three that is not recorded.
var uncounted = []string{"from", "match_from", "action", "source"}

// meta describes a page of a list with count rows. With an inexact filter the broker does
// not count.
func (q *request) meta(p page, count int) obj {
	for name := range q.URL.Query() {
		if strings.HasPrefix(name, "like_") || slices.Contains(uncounted, name) {
			return obj{"page": p.page, "limit": p.limit, "hasnext": p.page*p.limit < count}
		}
	}
	return obj{"page": p.page, "limit": p.limit, "count": count, "hasnext": p.page*p.limit < count}
}

// window returns the bounds of the page in a list of n rows.
func (p page) window(n int) (from, to int) {
	from = min((p.page-1)*p.limit, n)
	return from, min(from+p.limit, n)
}

// paged answers with a page of rows, which show converts.
func paged[T any](q *request, rows []T, show func(T) any) answer {
	p, bad := q.paging()
	if bad != nil {
		return *bad
	}
	from, to := p.window(len(rows))
	data := []any{}
	for _, row := range rows[from:to] {
		data = append(data, show(row))
	}
	return asJSON(obj{"data": data, "meta": q.meta(p, len(rows))})
}

// rfc3339 formats a time as the broker does, with milliseconds.
func rfc3339(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000") + "+00:00" }

// seconds3339 is like rfc3339 without milliseconds.
func seconds3339(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") + "+00:00" }
