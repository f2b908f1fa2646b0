package validate

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

var labelWord = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)

// maxAnnotations is the size of all annotations of one object together.
const maxAnnotations = 256 << 10

// ownPrefix is what the keys of our own labels and annotations begin with.
const ownPrefix = "openecp.io"

// qualified reports whether s has the form of a label or annotation key: a word
// of at most 63 characters, with or without "domain/" before it.
func qualified(s string) bool {
	if domain, word, found := strings.Cut(s, "/"); found {
		return IsDNSSubdomain(domain) && labelWord.MatchString(word)
	}
	return labelWord.MatchString(s)
}

func Annotations(p *fault.Fields, at string, annotations map[string]string) {
	size := 0
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		size += len(key) + len(annotations[key])
		domain, _, _ := strings.Cut(key, "/")
		switch {
		case !qualified(strings.ToLower(key)):
			p.Add(at+"["+key+"]", `the key is not of the form "example.com/word"`)
		case strings.ContainsFunc(annotations[key], deceives) || !utf8.ValidString(annotations[key]):
			p.Add(at+"["+key+"]", "has a character that cannot be shown or changes how others are")
		case domain == ownPrefix || strings.HasSuffix(domain, "."+ownPrefix):
			p.Add(at+"["+key+"]", "keys of %s are OpenECP's own", ownPrefix)
		}
	}
	if size > maxAnnotations {
		p.Add(at, "have %d bytes together; at most %d are allowed", size, maxAnnotations)
	}
}

func validatePlacement(p *fault.Fields, placement ecp.Placement) {
	for _, key := range slices.Sorted(maps.Keys(placement.NodeSelector)) {
		at := "spec.placement.nodeSelector[" + key + "]"
		if !qualified(key) {
			p.Add(at, `the key is not of the form "example.com/word"`)
		}
		if v := placement.NodeSelector[key]; v != "" && !labelWord.MatchString(v) {
			p.Add(at, "%q is not the value of a label", v)
		}
	}
	for i, t := range placement.Tolerations {
		validateToleration(p, "spec.placement.tolerations["+strconv.Itoa(i)+"]", t)
	}
}

func validateToleration(p *fault.Fields, at string, t ecp.Toleration) {
	if !slices.Contains([]string{"", "Exists", "Equal"}, t.Operator) {
		p.Add(at+".operator", quotedText, t.Operator, `"Exists" and "Equal"`)
	}
	if !slices.Contains([]string{"", "NoSchedule", "PreferNoSchedule", "NoExecute"}, t.Effect) {
		p.Add(at+".effect", quotedText, t.Effect, `"NoSchedule", "PreferNoSchedule" and "NoExecute"`)
	}
	if t.Key == "" && t.Operator != "Exists" {
		p.Add(at+".key", `is missing; only the operator "Exists" goes without`)
	}
	if t.Key != "" && !qualified(t.Key) {
		p.Add(at+".key", `is not of the form "example.com/word"`)
	}
	if t.Operator == "Exists" && t.Value != "" {
		p.Add(at+".value", `must be empty with the operator "Exists"`)
	} else if t.Value != "" && !labelWord.MatchString(t.Value) {
		p.Add(at+".value", "%q is not the value of a taint", t.Value)
	}
}

// quotedText is the format of messages on a value that has a wrong form.
const quotedText = `is %q; %s are allowed`

// What follows checks words that go to Kubernetes unchanged. A word that the
// API server would refuse must not be stored: every Apply would fail.

var subdomain = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// IsDNSSubdomain reports whether s is a DNS subdomain as Kubernetes takes it for names.
func IsDNSSubdomain(s string) bool { return len(s) <= 253 && subdomain.MatchString(s) }
