package emqxlog

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// masked replaces a secret.
const masked = "[redacted]"

// leastSecret is the length of the shortest text that is masked, in bytes. Shorter ones are
// common words and easily guessed.
const leastSecret = 6

// leastLine is the length of the shortest masked line of a secret with several lines.
const leastLine = 16

// Mask returns a reader of r that replaces each secret by "[redacted]", wherever a read
// begins and ends. It finds secrets as they are, as EMQX prints strings, in base64 (also
// together with other text, as in an HTTP header), escaped as in URLs, and as lists of
// bytes. It finds a secret of several lines line by line. It holds back what may be the
// beginning of a secret until more is read. If there is nothing to mask, it returns r
// itself.
func Mask(r io.Reader, secrets []string) io.Reader {
	m := NewMasker(secrets)
	if !m.some {
		return r
	}
	return &maskedReader{mask: m, from: r, chunk: make([]byte, 16<<10)}
}

// Masker masks secrets in texts, like [Mask]. It is safe for concurrent use.
type Masker struct {
	secrets [256][]string // by first byte, the longest first
	some    bool          // there is anything to mask
}

// NewMasker returns a Masker of secrets.
func NewMasker(secrets []string) *Masker {
	m := &Masker{}
	for _, s := range forms(secrets) {
		m.secrets[s[0]], m.some = append(m.secrets[s[0]], s), true
	}
	return m
}

// Text returns a text without the secrets.
func (m *Masker) Text(text string) string {
	for i := 0; m.some && i < len(text); i++ {
		if m.secrets[text[i]] == nil {
			continue
		}
		rest := []byte(text[i:])
		if out, _ := m.scan(nil, rest, true); len(out) != len(rest) || string(out) != text[i:] {
			return text[:i] + string(out)
		}
		return text
	}
	return text
}

// forms returns the texts by which secrets are found, the longest first.
func forms(secrets []string) (out []string) {
	for _, s := range secrets {
		s = strings.TrimSpace(s)
		lines := strings.Split(s, "\n")
		for _, line := range lines {
			if line = strings.TrimSpace(line); len(line) >= leastSecret && (len(lines) == 1 || len(line) >= leastLine) {
				out = append(out, line, quoted(line), url.QueryEscape(line),
					strings.ReplaceAll(url.QueryEscape(line), "+", "%20"),
					url.PathEscape(line), octets(line, ","), octets(line, ", "))
				out = append(out, encoded(line)...)
			}
		}
		if len(lines) > 1 {
			out = append(out, quoted(s))
		}
	}
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(slices.DeleteFunc(out, func(s string) bool { return len(s) < leastSecret }))
}

// quoted returns a text as JSON, HOCON and Erlang write it between quotes.
func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) //nolint:errchkjson // a text always encodes, and a Builder takes everything
	text := strings.TrimSuffix(b.String(), "\n")
	return text[1 : len(text)-1]
}

// octets returns a text as Erlang writes lists and binaries that are not printable.
func octets(s, between string) string {
	var b strings.Builder
	for i := range len(s) {
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(strconv.Itoa(int(s[i])))
	}
	return b.String()
}

// encoded returns the base64 of a text in both alphabets, at the beginning, and behind
// other text whose length is no multiple of three: only the characters that the text alone
// determines.
func encoded(s string) (out []string) {
	for before := range 3 {
		padded := strings.Repeat("\x00", before) + s
		from, to := (before*8+5)/6, len(padded)*8/6
		if to-from < leastSecret {
			continue
		}
		standard := base64.StdEncoding.EncodeToString([]byte(padded))[from:to]
		out = append(out, standard, strings.NewReplacer("+", "-", "/", "_").Replace(standard))
	}
	return out
}

// maskedReader is the reader of Mask.
type maskedReader struct {
	mask  *Masker
	from  io.Reader
	chunk []byte
	held  []byte // read, and perhaps the beginning of a secret
	ready []byte // can be returned
	err   error  // of from; returned after ready
}

// Read returns masked text, and reads more if there is none.
func (m *maskedReader) Read(p []byte) (int, error) {
	for len(m.ready) == 0 && m.err == nil {
		n, err := m.from.Read(m.chunk)
		m.held, m.err = append(m.held, m.chunk[:n]...), err
		m.ready, m.held = m.mask.scan(m.ready[:0], m.held, err != nil)
	}
	n := copy(p, m.ready)
	m.ready = m.ready[n:]
	if n == 0 && len(p) > 0 {
		return 0, m.err
	}
	return n, nil
}

// scan appends the masked text to out and returns the rest that is not certain yet. With
// last set, all of it is.
func (m *Masker) scan(out, text []byte, last bool) (_, held []byte) {
	for i := 0; i < len(text); {
		length, open := m.match(text[i:])
		switch {
		case open && !last:
			return out, slices.Clone(text[i:])
		case length > 0:
			out = append(out, masked...)
			i += length
		default:
			out = append(out, text[i])
			i++
		}
	}
	return out, nil
}

// match returns the length of the longest secret at the beginning of text, and whether more
// text could make it longer.
func (m *Masker) match(text []byte) (length int, open bool) {
	for _, s := range m.secrets[text[0]] {
		switch {
		case len(text) < len(s):
			open = open || s[:len(text)] == string(text)
		case length == 0 && string(text[:len(s)]) == s:
			length = len(s)
		}
	}
	return length, open
}
