package hocon

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestHOCON has what EMQX 5.8.9 takes, refuses and reads differently when it is
// not quoted.
func TestHOCON(t *testing.T) {
	huge := strings.Repeat("9", 400)
	for value, want := range map[string]string{
		// Numbers and booleans are bare: a quoted number crashes a converter.
		"0": "0", "-1": "-1", "10": "10", "1.6": "1.6", "-0.5": "-0.5", "true": "true", "false": "false",
		// Sizes, durations, percents and enums are taken quoted.
		"10MB": `"10MB"`, "15s": `"15s"`, "95%": `"95%"`, "infinity": `"infinity"`, "round_robin": `"round_robin"`,
		// Syntax errors that stop the boot when they are bare.
		"1.2.3.4": `"1.2.3.4"`, "1-2": `"1-2"`, "1e5": `"1e5"`, "1E400": `"1E400"`, "3.": `"3."`, "-": `"-"`,
		"%": `"%"`, "include": `"include"`,
		// Read as something else when they are bare.
		"007": `"007"`, "00": `"00"`, "+1": `"+1"`, ".5": `".5"`, "null": `"null"`, "True": `"True"`,
		// No escapes but these are read; & < > are no longer made into any.
		"a&b<c>d": `"a&b<c>d"`, `a\u0041`: `"a\\u0041"`, "a\tb": `"a\tb"`, `a\b`: `"a\\b"`, `a"b`: `"a\"b"`, "": `""`,
		"é": `"é"`,
		// Nothing ends the setting.
		"1, node.cookie = x": `"1, node.cookie = x"`, "${HOME}": `"${HOME}"`, "a # b": `"a # b"`, "a\nb": `"a\nb"`,
		"round robin": `"round robin"`,
		// JSON is encoded anew.
		`"x y"`: `"x y"`, `"\u0026\/"`: `"&/"`, `["a", "b"]`: `["a","b"]`,
		` {"b": 1, "a": [true, null, 1.50]}`: `{"a":[true,null,1.50],"b":1}`,
		`[1e5, 12.5E1, 1e-3, -2E+2, 0e9]`:    `[100000,125,0.001,-200,0]`, `{"a&b":"<"}`: `{"a&b":"<"}`,
		`[1e99999999999]`: `["1e99999999999"]`,
		`{"a":`:           `"{\"a\":"`,
		// Whole numbers have no end, fractions do.
		huge: huge, huge + ".5": `"` + huge + `.5"`, `[` + huge + `.5]`: `["` + huge + `.5"]`, `[1e400]`: "[1" +
			strings.Repeat("0", 400) + "]", "-0": "-0", "-0.0": "-0.0",
		// A text that ends with a backslash would swallow the next one on its line.
		`["a\\","b"]`: "[\n\"a\\\\\",\n\"b\"\n]",
	} {
		require.Equal(t, want, Value(value), "%q", value)
	}
}

// TestHOCONRoundTrip: EMQX reads what was meant, whatever it is, and nothing else.
func TestHOCONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.StringMatching(`[-0-9.eE+%\\"/u{}\[\], a-zA-Z$#&<>]{0,12}`),
			rapid.Map(jsonValue(3), func(v any) string { b, _ := json.Marshal(v); return string(b) }),
			rapid.String(),
		).Filter(func(s string) bool { return !strings.ContainsAny(s, "\x00\u2028\u2029") }).Draw(t, "value")
		rest, got, err := readHocon(Value(value) + "\nnext = 1")
		require.NoError(t, err, "%q -> %s", value, Value(value))
		require.Equal(t, "\nnext = 1", rest)
		require.Equal(t, meaning(value), got)
	})
}

func jsonValue(depth int) *rapid.Generator[any] {
	scalar := rapid.OneOf(
		rapid.Map(rapid.StringMatching(`[a-c\\"/&\t]{0,4}`), func(s string) any { return s }),
		rapid.Map(rapid.Int(), func(n int) any { return n }),
		rapid.Map(rapid.Float64Range(-1e30, 1e30), func(f float64) any { return f }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
	)
	if depth == 0 {
		return scalar
	}
	inner := rapid.Deferred(func() *rapid.Generator[any] { return jsonValue(depth - 1) })
	return rapid.OneOf(scalar,
		rapid.Map(rapid.SliceOfN(inner, 0, 3), func(l []any) any { return append([]any{}, l...) }),
		rapid.Map(rapid.MapOfN(rapid.StringMatching(`[a-c\\".]{1,3}`), inner, 0, 3),
			func(m map[string]any) any { return m }),
	)
}

// meaning is what a value of a setting stands for.
func meaning(value string) any {
	if trimmed := strings.TrimSpace(value); json.Valid([]byte(value)) && strings.ContainsAny(trimmed[:1], `"[{`) {
		d := json.NewDecoder(strings.NewReader(value))
		d.UseNumber()
		var v any
		if d.Decode(&v) == nil {
			return normalized(v)
		}
	}
	if value == "true" || value == "false" {
		return value == "true"
	}
	if numberForm.MatchString(value) {
		r, _ := new(big.Rat).SetString(value)
		return r.RatString()
	}
	return "text:" + value
}

var numberForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

func normalized(v any) any {
	switch v := v.(type) {
	case string:
		return "text:" + v
	case json.Number:
		r, ok := new(big.Rat).SetString(v.String())
		if !ok {
			return "text:" + v.String()
		}
		return r.RatString()
	case []any:
		out := []any{}
		for _, inner := range v {
			out = append(out, normalized(inner))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, inner := range v {
			out[key] = normalized(inner)
		}
		return out
	}
	return v
}

// readHocon reads one value as EMQX's scanner does, as far as hocon writes: no
// escapes but six, a quoted text is the longest that its line allows, numbers have
// no exponent, and nothing else is bare.
func readHocon(s string) (rest string, v any, err error) {
	s = strings.TrimLeft(s, " \n")
	switch {
	case strings.HasPrefix(s, `"`):
		text, rest, err := readHoconText(s)
		return rest, "text:" + text, err
	case strings.HasPrefix(s, "["):
		out := []any{}
		rest, err := readHoconList(s[1:], "]", func(s string) (string, error) {
			rest, v, err := readHocon(s)
			out = append(out, v)
			return rest, err
		})
		return rest, out, err
	case strings.HasPrefix(s, "{"):
		out := map[string]any{}
		rest, err := readHoconList(s[1:], "}", func(s string) (string, error) {
			key, s, err := readHoconText(strings.TrimLeft(s, " \n"))
			if err != nil || !strings.HasPrefix(s, ":") {
				return s, fmt.Errorf("no colon: %w", errors.Join(err, errors.New(s)))
			}
			rest, v, err := readHocon(s[1:])
			out[key] = v
			return rest, err
		})
		return rest, out, err
	}
	word := s[:len(s)-len(strings.TrimLeft(s, "-+.abcdefghijklmnopqrstuvwxyz0123456789%"))]
	rest = s[len(word):]
	switch {
	case word == "true", word == "false":
		return rest, word == "true", nil
	case word == "null":
		return rest, nil, nil
	case numberForm.MatchString(word):
		r, _ := new(big.Rat).SetString(word)
		return rest, r.RatString(), nil
	}
	return s, nil, fmt.Errorf("syntax error before %q", s)
}

func readHoconList(s, end string, item func(string) (string, error)) (rest string, err error) {
	for first := true; ; first = false {
		s = strings.TrimLeft(s, " \n")
		if rest, done := strings.CutPrefix(s, end); done {
			return rest, nil
		}
		if !first {
			var ok bool
			if s, ok = strings.CutPrefix(s, ","); !ok {
				return s, fmt.Errorf("no comma before %q", s)
			}
		}
		if s, err = item(s); err != nil {
			return s, err
		}
	}
}

// readHoconText takes the longest text: a backslash may be a character of its own
// or belong to the next one, as in EMQX's scanner.
func readHoconText(s string) (text, rest string, err error) {
	line, _, _ := strings.Cut(s, "\n")
	if !strings.HasPrefix(line, `"`) {
		return "", s, fmt.Errorf("no text: %q", s)
	}
	end := 0
	for i := 1; i < len(line); i++ { // an end is a quote, which may go on after a backslash
		if line[i] != '"' {
			continue
		}
		end = i
		if line[i-1] != '\\' {
			break
		}
	}
	if end == 0 {
		return "", s, fmt.Errorf("text without end: %q", line)
	}
	var b strings.Builder
	for raw := line[1:end]; raw != ""; {
		if raw[0] == '"' {
			return "", s, fmt.Errorf("unescaped quote in %q", line)
		}
		if len(raw) > 1 && raw[0] == '\\' {
			if i := strings.IndexByte(`\"nrtbf`, raw[1]); i >= 0 {
				b.WriteByte("\\\"\n\r\t\b\f"[i])
				raw = raw[2:]
				continue
			}
		}
		b.WriteByte(raw[0])
		raw = raw[1:]
	}
	return b.String(), s[end+1:], nil
}
