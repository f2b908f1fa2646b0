package drift

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp/internal/setting"
)

// settingTree returns the value of a setting as EMQX reads it: JSON arrays and
// objects as such, anything else as a text.
func settingTree(value string) any {
	trimmed := strings.TrimSpace(value)
	if trimmed == "" || !strings.Contains(`"[{`, trimmed[:1]) || !json.Valid([]byte(trimmed)) {
		return value
	}
	var tree any
	if setting.DecodeNumbers([]byte(trimmed), &tree) != nil {
		return value
	}
	return tree
}

// Leaves adds the leaves of settings by their whole keys: an object is as
// many settings as it has values. Longer keys win over what an object says, as in
// the order they are written in.
func Leaves(into map[string]any, settings map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		addLeaves(into, key, settingTree(settings[key]))
	}
}

func addLeaves(into map[string]any, key string, value any) {
	object, is := value.(map[string]any)
	if !is {
		into[key] = value
		return
	}
	for _, word := range slices.Sorted(maps.Keys(object)) {
		addLeaves(into, key+"."+word, object[word])
	}
}

// sameSetting reports whether two values of a setting mean the same to EMQX. It
// takes what may be the same for the same: 60m and 1h, 1048576 and 1MB, 0.8 and
// 80%, and objects in which the broker has filled in what was left out.
// known is false where have does not tell: it is masked, or not there.
func sameSetting(want, have any) (same, known bool) {
	switch w := want.(type) {
	case map[string]any:
		return sameObject(w, have)
	case []any:
		list, is := have.([]any)
		if !is {
			return sameText(listText(w), settingText(have)), have != nil
		}
		if len(list) != len(w) {
			return false, true
		}
		for i := range w {
			if same, known := sameSetting(w[i], list[i]); !same || !known {
				return same, known
			}
		}
		return true, true
	}
	switch h := have.(type) {
	case nil, map[string]any:
		return false, false
	case []any:
		return sameText(settingText(want), listText(h)), true
	}
	text := settingText(have)
	return sameText(settingText(want), text), text != maskedValue
}

// maskedValue is what EMQX shows in the place of secrets.
const maskedValue = "******"

func sameObject(want map[string]any, have any) (same, known bool) {
	object, is := have.(map[string]any)
	if !is {
		return false, have != nil
	}
	for _, word := range slices.Sorted(maps.Keys(want)) {
		if same, known := sameSetting(want[word], object[word]); known && !same {
			return false, true
		}
	}
	return true, true
}

func settingText(v any) string {
	if v == nil {
		return "null"
	}
	return strings.TrimSpace(fmt.Sprint(v))
}

// listText is a list in the other form that EMQX takes for some: with commas.
func listText(list []any) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = settingText(v)
	}
	return strings.Join(words, ",")
}

// settingUnits are what EMQX reads behind numbers, each as so many of the
// smallest unit of its kind: milliseconds and bytes.
var settingUnits = []struct {
	form  *regexp.Regexp
	units map[string]int64
}{
	{regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w|f))+$`), map[string]int64{
		"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "f": 1_209_600_000}},
	{regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(kb|mb|gb)$`),
		map[string]int64{"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}},
}

var (
	numberAndUnit = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)([a-z]+)`)
	anyAddress    = regexp.MustCompile(`^(0\.0\.0\.0)?:([0-9]+)$`)
	spacedComma   = regexp.MustCompile(`\s*,\s*`)
)

// mostFigure is how long a number may be that is computed with.
const mostFigure = 40

// sameText compares values without parts.
func sameText(a, b string) bool {
	a, b = spacedComma.ReplaceAllString(a, ","), spacedComma.ReplaceAllString(b, ",")
	if a == b || anyAddress.ReplaceAllString(a, "$2") == anyAddress.ReplaceAllString(b, "$2") {
		return true
	}
	x, xUnit := amount(a)
	y, yUnit := amount(b)
	if x == nil || y == nil {
		return false
	}
	if x.Cmp(y) == 0 {
		return true
	}
	// A bare duration counts milliseconds or seconds, by the setting.
	seconds := func(bare *big.Rat) *big.Rat { return new(big.Rat).Mul(bare, big.NewRat(1000, 1)) }
	return !xUnit && yUnit && seconds(x).Cmp(y) == 0 || xUnit && !yUnit && seconds(y).Cmp(x) == 0
}

// amount reads a number, a percentage, a duration or a size; nil means it is none.
func amount(text string) (n *big.Rat, unit bool) {
	text = strings.ToLower(text)
	if len(text) > mostFigure {
		return nil, false
	}
	if percent, is := strings.CutSuffix(text, "%"); is {
		if n := figure(percent); n != nil {
			return n.Quo(n, big.NewRat(100, 1)), false
		}
		return nil, false
	}
	for _, kind := range settingUnits {
		if !kind.form.MatchString(text) {
			continue
		}
		sum := new(big.Rat)
		for _, part := range numberAndUnit.FindAllStringSubmatch(text, -1) {
			sum.Add(sum, new(big.Rat).Mul(figure(part[1]), new(big.Rat).SetInt64(kind.units[part[2]])))
		}
		return sum, true
	}
	return figure(text), false
}

// figure reads a plain number.
func figure(text string) *big.Rat {
	if _, err := strconv.ParseFloat(text, 64); err != nil || strings.ContainsAny(text, "e_xpn/") {
		return nil
	}
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return n
}
