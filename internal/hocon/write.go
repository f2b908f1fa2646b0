package hocon

import (
	"encoding/json"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// bare matches the values that EMQX's HOCON reads without quotes as they are. Other values
// without quotes may stop the boot (1.2.3.4, 1e5, include), or be read as something else
// (007).
var bare = regexp.MustCompile(`^(-?(0|[1-9][0-9]*)(\.[0-9]+)?|true|false)$`)

// isBare reports whether a text may stand without quotes. EMQX's scanner fails on a
// fraction that is beyond what a float can hold.
func isBare(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return bare.MatchString(text) && (err == nil || !strings.Contains(text, "."))
}

// Value returns the value of a setting as EMQX's HOCON reads it, so that it cannot end the
// setting it stands in: numbers and booleans bare, since EMQX's converters do
// not take quoted ones; JSON texts, arrays and objects encoded anew; anything
// else as a text.
func Value(value string) string {
	if isBare(value) {
		return value
	}
	if trimmed := strings.TrimSpace(value); trimmed != "" && strings.Contains(`"[{`, trimmed[:1]) {
		d := json.NewDecoder(strings.NewReader(value))
		d.UseNumber()
		var tree any
		if json.Valid([]byte(value)) && d.Decode(&tree) == nil {
			var b strings.Builder
			write(&b, tree, separator(tree))
			return b.String()
		}
	}
	return quote(value)
}

// writtenEscapes are all the escapes that EMQX's HOCON reads: others, such as
// those of JSON with a code point, are taken literally.
var writtenEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

func quote(text string) string { return `"` + writtenEscapes.Replace(text) + `"` }

// separator returns what separates the parts of an array or object. EMQX's scanner takes
// the longest text it can: a text that ends with a backslash is read together with the
// next one on its line.
func separator(tree any) string {
	b, err := json.Marshal(tree)
	if err == nil && !strings.Contains(string(b), `\\`) {
		return ""
	}
	return "\n"
}

// write encodes decoded JSON. A null inside is HOCON's own.
func write(b *strings.Builder, v any, after string) {
	switch v := v.(type) {
	case map[string]any:
		b.WriteString("{" + after)
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteString("," + after)
			}
			b.WriteString(quote(key) + ":" + after)
			write(b, v[key], after)
		}
		b.WriteString(after + "}")
	case []any:
		b.WriteString("[" + after)
		for i, inner := range v {
			if i > 0 {
				b.WriteString("," + after)
			}
			write(b, inner, after)
		}
		b.WriteString(after + "]")
	case string:
		b.WriteString(quote(v))
	case json.Number:
		b.WriteString(decimal(v.String()))
	case bool:
		b.WriteString(map[bool]string{true: "true", false: "false"}[v])
	default:
		b.WriteString("null")
	}
}

// Tree returns settings as a text with one root a paragraph. Fields without a value are left
// out.
func Tree(roots map[string]any) string {
	var b strings.Builder
	for _, root := range slices.Sorted(maps.Keys(roots)) {
		b.WriteString(quote(root) + ": ")
		write(&b, withoutNulls(roots[root]), "\n")
		b.WriteString("\n")
	}
	return b.String()
}

func withoutNulls(v any) any {
	object, is := v.(map[string]any)
	if !is {
		return v
	}
	out := map[string]any{}
	for key, inner := range object {
		if inner != nil {
			out[key] = withoutNulls(inner)
		}
	}
	return out
}

// mostExponent bounds how many digits an exponent may become.
const mostExponent = 400

// decimal returns a JSON number without an exponent, which EMQX's HOCON does not
// read everywhere. One that would become endless digits is left as a text.
func decimal(number string) string {
	if isBare(number) {
		return number
	}
	mantissa, exponent, found := strings.Cut(strings.ToLower(number), "e")
	if !found { // a fraction beyond what a float can hold
		return quote(number)
	}
	power, ok := new(big.Int).SetString(strings.TrimPrefix(exponent, "+"), 10)
	if !ok || !power.IsInt64() || power.Int64() > mostExponent || power.Int64() < -mostExponent {
		return quote(number)
	}
	exact, ok := new(big.Rat).SetString(mantissa + "e" + power.String())
	if !ok {
		return quote(number)
	}
	_, fraction, _ := strings.Cut(mantissa, ".")
	digits := max(0, len(fraction)-int(power.Int64()))
	text := exact.FloatString(digits)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	if !isBare(text) {
		return quote(number)
	}
	return text
}
