package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/openecp/openecp/client"
)

// object is a thing as the API shows it: as it came, and taken apart. What ecpctl does not
// know of a newer server's answer is printed all the same.
type object struct {
	raw    json.RawMessage
	fields map[string]any
}

// UnmarshalJSON keeps the text beside what it says. Numbers stay as they are written.
func (o *object) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var fields map[string]any
	if err := d.Decode(&fields); err != nil {
		return err
	}
	o.raw, o.fields = bytes.Clone(b), fields
	return nil
}

// MarshalJSON returns the text.
func (o object) MarshalJSON() ([]byte, error) { return o.raw, nil }

// decode reads an object into a struct.
func (o object) decode(out any) error { return json.Unmarshal(o.raw, out) }

// objectOf makes an object of fields.
func objectOf(fields map[string]any) object {
	b, err := json.Marshal(fields)
	var o object
	if err == nil {
		err = o.UnmarshalJSON(b)
	}
	if err != nil { // what is read from JSON or built from strings and numbers can be written
		panic(err)
	}
	return o
}

// with returns the object with another value at a path.
func (o object) with(path string, value any) object {
	fields := clone(o.fields)
	at := fields
	segments := strings.Split(path, ".")
	for _, s := range segments[:len(segments)-1] {
		inner, ok := at[s].(map[string]any)
		if !ok {
			inner = map[string]any{}
			at[s] = inner
		}
		at = inner
	}
	at[segments[len(segments)-1]] = value
	return objectOf(fields)
}

// clone returns a copy of the maps of a value.
func clone(in map[string]any) map[string]any {
	out := make(map[string]any, len(in))
	for k, v := range in {
		if m, ok := v.(map[string]any); ok {
			v = clone(m)
		}
		out[k] = v
	}
	return out
}

// at returns what is at a path of names with dots between them; nil if there is nothing.
func (o object) at(path string) any {
	var v any = o.fields
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// text is what is at a path, in one line.
func (o object) text(path string) string { return textOf(o.at(path)) }

func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		var out []string
		for _, one := range v {
			out = append(out, textOf(one))
		}
		return strings.Join(out, ",")
	case map[string]any:
		b, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(b)
	}
	return fmt.Sprint(v)
}

// get reads what is at a path of the API.
func get(ctx context.Context, c *client.Client, path string, out any) error {
	_, err := c.Do(ctx, client.Request{Path: path}, out)
	return err
}
