package broker

import "strings"

// Bounds of what is made of a configuration file.
const (
	deepestObject = 32
	mostKeys      = 10_000
)

// parseHOCON reads the scalars of a HOCON text by their paths, as far as it makes
// sense: arrays, substitutions and includes are left out. It is lenient on purpose:
// EMQX itself has read the file, and what is not understood here is not used.
func parseHOCON(text string) values {
	p := &hocon{text: text, out: values{}}
	p.object("", 0)
	return p.out
}

type hocon struct {
	text string
	at   int
	out  values
}

func (p *hocon) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// space skips blanks, line ends, commas and comments.
func (p *hocon) space(also string) {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '#', strings.HasPrefix(p.text[p.at:], "//"):
			p.line()
		case c == ' ', c == '\t', c == '\r', strings.IndexByte(also, c) >= 0:
			p.at++
		default:
			return
		}
	}
}

// line skips the rest of a line.
func (p *hocon) line() {
	if i := strings.IndexByte(p.text[p.at:], '\n'); i >= 0 {
		p.at += i
		return
	}
	p.at = len(p.text)
}

// object reads fields until a closing brace or the end.
func (p *hocon) object(path string, depth int) {
	for {
		p.space("\n,")
		switch {
		case p.at >= len(p.text) || len(p.out) >= mostKeys || depth > deepestObject:
			p.at = len(p.text)
			return
		case p.peek() == '}':
			p.at++
			return
		case p.peek() == '{': // the whole text is one object
			p.at++
			p.object(path, depth+1)
			continue
		}
		before := p.at
		p.field(path, depth)
		if p.at == before { // nothing that is known begins so
			p.at++
		}
	}
}

// field reads a key and its value.
func (p *hocon) field(path string, depth int) {
	key := p.key()
	if path != "" {
		key = path + "." + key
	}
	p.space("")
	if strings.HasPrefix(p.text[p.at:], "+=") {
		p.line()
		return
	}
	if c := p.peek(); c == '=' || c == ':' {
		p.at++
		p.space("\n")
	} else if c != '{' { // an include, or nothing of a field
		p.line()
		return
	}
	switch p.peek() {
	case '{':
		p.at++
		p.object(key, depth+1)
	case '[':
		p.array()
	case '"':
		p.out[key] = p.quoted()
	default:
		if value := p.bare(); value != "" && !strings.Contains(value, "${") {
			p.out[key] = value
		}
	}
}

// key reads a key, quoted or not; its parts are separated by dots.
func (p *hocon) key() string {
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '"':
			b.WriteString(p.quoted())
			continue
		case strings.IndexByte("=:{}[],\n#", c) >= 0, c == '+' &&
			strings.HasPrefix(p.text[p.at:], "+="), c == ' ', c == '\t', c == '\r':
			return b.String()
		}
		b.WriteByte(c)
		p.at++
	}
	return b.String()
}

// quoted reads a string in quotes, of one line or between three of them.
func (p *hocon) quoted() string {
	if rest := p.text[p.at:]; strings.HasPrefix(rest, `"""`) {
		end := strings.Index(rest[3:], `"""`)
		if end < 0 {
			p.at = len(p.text)
			return ""
		}
		p.at += 3 + end + 3
		text := rest[3 : 3+end]
		return strings.TrimSuffix(strings.TrimPrefix(text, "~"), "~")
	}
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return b.String()
		case c == '\n':
			return b.String()
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			if e, ok := escapes[p.text[p.at]]; ok {
				b.WriteByte(e)
			} else {
				b.WriteByte(p.text[p.at])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

var escapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r'}

// bare reads a value without quotes.
func (p *hocon) bare() string {
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if c == '\n' || c == ',' || c == '}' || c == '#' || strings.HasPrefix(p.text[p.at:], "//") {
			break
		}
		if c == '$' && strings.HasPrefix(p.text[p.at:], "${") {
			if end := strings.IndexByte(p.text[p.at:], '}'); end >= 0 {
				p.at += end
			}
		}
		p.at++
	}
	return strings.TrimSpace(p.text[start:min(p.at, len(p.text))])
}

// array skips one.
func (p *hocon) array() {
	depth := 0
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case '"':
			p.quoted()
			continue
		case '#':
			p.line()
			continue
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				p.at++
				return
			}
		}
		p.at++
	}
}
