package agentproto

import (
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// maxHistoryKinds is how many kinds a query may name: more than there are.
const maxHistoryKinds = 16

// parameters are those of a GET of the control host, by name: pointers to the fields of
// what is asked for. Numbers of positions always travel, other zero values are left out.
type parameters map[string]any

func (p *Position) parameters() parameters { return parameters{"epoch": &p.Epoch, "seq": &p.Seq} }

func (q *HistoryQuery) parameters() parameters {
	return parameters{"epoch": &q.After.Epoch, "seq": &q.After.Seq, "since": &q.Since, "until": &q.Until,
		"kind": &q.Kinds}
}

func (q *LogQuery) parameters() parameters {
	return parameters{
		"after": &q.After, "since": &q.Since, "until": &q.Until, "tail": &q.Tail, "level": &q.Level, "text": &q.Text,
		"follow": &q.Follow,
	}
}

// encode returns the query string.
func (p parameters) encode() string {
	v := url.Values{}
	for name, field := range p {
		switch field := field.(type) {
		case *string:
			if *field != "" {
				v.Set(name, *field)
			}
		case *uint64:
			v.Set(name, strconv.FormatUint(*field, 10))
		case *int:
			if *field > 0 {
				v.Set(name, strconv.Itoa(*field))
			}
		case *bool:
			if *field {
				v.Set(name, "true")
			}
		case *time.Time:
			if !field.IsZero() {
				v.Set(name, field.UTC().Format(time.RFC3339Nano))
			}
		case *[]HistoryKind:
			for _, k := range *field {
				v.Add(name, string(k))
			}
		}
	}
	return v.Encode()
}

// parse sets the fields whose parameters are there. Parameters that it does not know are
// skipped.
func (p parameters) parse(v url.Values) error {
	for name, field := range p {
		text := v.Get(name)
		if text == "" && len(v[name]) < 2 {
			continue
		}
		var err error
		wanted := ""
		switch field := field.(type) {
		case *string:
			*field = text
		case *uint64:
			*field, err = strconv.ParseUint(text, 10, 64)
			wanted = "a number"
		case *int:
			var n uint64
			n, err = strconv.ParseUint(text, 10, 31)
			*field, wanted = int(n), "a whole number"
		case *bool:
			*field, err = strconv.ParseBool(text)
			wanted = "true or false"
		case *time.Time:
			*field, err = time.Parse(time.RFC3339Nano, text)
			wanted = "a time of RFC 3339"
		case *[]HistoryKind:
			for _, kind := range v[name][:min(len(v[name]), maxHistoryKinds)] {
				*field = append(*field, HistoryKind(kind))
			}
		}
		if err != nil {
			return fmt.Errorf("%s has to be %s", name, wanted)
		}
	}
	return nil
}
