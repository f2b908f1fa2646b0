package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/yaml"
)

// form is one of the forms that -o names.
type form struct {
	name     string
	template *jsonpath.JSONPath // of jsonpath
}

// The names of forms.
const (
	formTable = "table"
	formWide  = "wide"
	formJSON  = "json"
	formYAML  = "yaml"
	formName  = "name"
	formPath  = "jsonpath"
)

// formOf reads the value of -o.
func formOf(text string) (form, error) {
	if template, ok := strings.CutPrefix(text, formPath+"="); ok {
		if !strings.Contains(template, "{") {
			template = "{" + template + "}"
		}
		j := jsonpath.New("output").AllowMissingKeys(true)
		if err := j.Parse(template); err != nil {
			return form{}, usagef("-o jsonpath=: %w", err)
		}
		return form{formPath, j}, nil
	}
	switch text {
	case "":
		return form{name: formTable}, nil
	case formTable, formWide, formJSON, formYAML, formName:
		return form{name: text}, nil
	}
	return form{}, usagef("-o is table, wide, json, yaml, name or jsonpath=TEMPLATE, not %q", text)
}

// forPeople reports whether people read what is printed, and no program.
func (a *app) forPeople() bool {
	switch a.flags.output {
	case "", formTable, formWide:
		return true
	}
	return false
}

// printAnswer prints an answer in the form that programs read, with what is at key for its
// name, or calls text, which prints it for people.
func (a *app) printAnswer(key string, o object, text func() error) error {
	if a.forPeople() {
		return text()
	}
	return a.printOne(kind{key: key}, o)
}

// printer prints a list item by item. It holds no more of it than a chunk of a table.
type printer struct {
	a     *app
	kind  kind
	form  form
	table *table
	// lines makes JSON one item a line instead of a list; for what has no end.
	lines bool
	n     int
}

// printer returns a printer of a kind in the form that was asked for.
func (a *app) printer(k kind) (*printer, error) {
	f, err := formOf(a.flags.output)
	if err != nil {
		return nil, err
	}
	p := &printer{a: a, kind: k, form: f}
	p.table = newTable(a, k.columnsOf(f.name == formWide))
	return p, nil
}

// add prints an item, or keeps it until a chunk of the table is full.
func (p *printer) add(o object) error {
	p.n++
	switch p.form.name {
	case formTable, formWide:
		return p.table.add(o)
	case formJSON:
		return p.addJSON(o)
	case formYAML:
		if p.n > 1 {
			fmt.Fprintln(p.a.out, "---")
		}
		return p.a.writeYAML(p.kind.marked(o))
	case formName:
		fmt.Fprintln(p.a.out, p.kind.nameOf(o))
		return nil
	}
	return p.a.writePath(p.form.template, o)
}

func (p *printer) addJSON(o object) error {
	if p.lines {
		var b bytes.Buffer
		if err := json.Compact(&b, o.raw); err != nil {
			return err
		}
		fmt.Fprintln(p.a.out, b.String())
		return nil
	}
	head := ",\n    "
	if p.n == 1 {
		head = "{\n  \"items\": [\n    "
	}
	b, err := indented(p.kind.marked(o), "    ")
	if err != nil {
		return err
	}
	fmt.Fprint(p.a.out, head, b)
	return nil
}

// flush prints what was kept of a table.
func (p *printer) flush() error {
	if p.form.name == formTable || p.form.name == formWide {
		return p.table.flush()
	}
	return nil
}

// end prints what is left, and says so where nothing was listed.
func (p *printer) end() error {
	switch p.form.name {
	case formJSON:
		switch {
		case p.lines:
		case p.n == 0:
			fmt.Fprintln(p.a.out, `{"items": []}`)
		default:
			fmt.Fprint(p.a.out, "\n  ]\n}\n")
		}
	case formTable, formWide:
		if p.n == 0 {
			p.a.tell("nothing found")
		}
	}
	return p.flush()
}

// printOne prints one thing: as a list of its fields where a table would have one row.
func (a *app) printOne(k kind, o object) error {
	f, err := formOf(a.flags.output)
	if err != nil {
		return err
	}
	switch f.name {
	case formJSON:
		b, err := indented(k.marked(o), "")
		if err != nil {
			return err
		}
		fmt.Fprintln(a.out, b)
		return nil
	case formYAML:
		return a.writeYAML(k.marked(o))
	case formName:
		fmt.Fprintln(a.out, k.nameOf(o))
		return nil
	case formPath:
		return a.writePath(f.template, o)
	}
	width := 0
	for _, c := range k.columnsOf(true) {
		width = max(width, cells(a.head(c)))
	}
	for _, c := range k.columnsOf(true) {
		if text := c.text(a, o); text != "" {
			fmt.Fprintln(a.out, pad(a.head(c), width)+"  "+a.painted(c, o, text))
		}
	}
	return nil
}

func indented(o object, prefix string) (string, error) {
	var b bytes.Buffer
	err := json.Indent(&b, o.raw, prefix, "  ")
	return b.String(), err
}

func (a *app) writeYAML(o object) error {
	b, err := yaml.JSONToYAML(o.raw)
	if err != nil {
		return err
	}
	_, err = a.out.Write(b)
	return err
}

// writePath prints what a template makes of an object, and ends the line.
func (a *app) writePath(template *jsonpath.JSONPath, o object) error {
	var b bytes.Buffer
	if err := template.Execute(&b, plain(o.fields)); err != nil {
		return usagef("-o jsonpath=: %w", err)
	}
	fmt.Fprintln(a.out, b.String())
	return nil
}

// plain turns numbers as they are written into those that filters of a template compare.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, one := range v {
			out[k] = plain(one)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = plain(one)
		}
		return out
	}
	return v
}
