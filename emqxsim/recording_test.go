package emqxsim_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recording is what a real broker answered to one request.
type recording struct {
	name         string // folder and file, without ".txt"
	method, path string
	user, secret string // what it was sent with; "" = neither
	request      string // body
	status       int
	header       http.Header
	body         string
}

// allRecordings is where every recording lies, if they are at hand; those that
// belong to the tree are in ownRecordings.
const (
	allRecordings = "../../shared/emqx/recordings"
	ownRecordings = "testdata/recorded"
)

// readRecordings reads every recording below a folder; nil if it is not there.
// A sequence of answers over time, 60-*, is none.
func readRecordings(t *testing.T, folder string) []recording {
	t.Helper()
	var out []recording
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "60-") || d.Name() == "routes-compiled-in.txt" {
			return err
		}
		out = append(out, readRecording(t, folder, name))
		return nil
	})
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	return out
}

// readRecording reads one: the request line, what was sent and what came back,
// an empty line, the body.
func readRecording(t *testing.T, folder, name string) recording {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	short, err := filepath.Rel(folder, name)
	require.NoError(t, err)
	head, body, _ := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	rec := recording{
		name: strings.TrimSuffix(filepath.ToSlash(short), ".txt"), header: http.Header{}, body: strings.TrimSpace(body),
	}
	var ok bool
	rec.method, rec.path, ok = strings.Cut(lines[0], " ")
	require.True(t, ok, "request line of %s", name)
	for _, line := range lines[1:] {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "auth":
			rec.user, rec.secret, _ = strings.Cut(strings.TrimPrefix(value, "-u "), ":")
		case "request-body":
			rec.request = value
		case "status":
			_, err := fmt.Sscan(value, &rec.status)
			require.NoError(t, err, name)
		default:
			rec.header.Set(key, value)
		}
	}
	return rec
}

// isJSON says that the body is; else it is compared as text.
func (r recording) isJSON() bool {
	return strings.HasPrefix(r.header.Get("Content-Type"), "application/json")
}

// difference is one way in which an answer is not the recorded one.
type difference struct {
	at  string // "status", a header's name, or the place in the body
	why string
}

// compare gives every difference of an answer from the recorded one: status,
// content type, texts as they are, JSON by its fields and types, and an error
// word for word.
func (r recording) compare(status int, header http.Header, body string) []difference {
	if status != r.status {
		return []difference{{"status", fmt.Sprintf("is %d, recorded %d: %s", status, r.status, body)}}
	}
	var out []difference
	for _, h := range []string{"Content-Type", "WWW-Authenticate"} {
		if got, want := header.Get(h), r.header.Get(h); got != want {
			out = append(out, difference{h, fmt.Sprintf("is %q, recorded %q", got, want)})
		}
	}
	switch {
	case len(out) > 0:
	case r.isJSON():
		out = append(out, r.compareJSON(body)...)
	case strings.HasPrefix(r.body, "# TYPE "):
		out = append(out, compareExposition(r.body, body)...)
	case strings.TrimSpace(body) != r.body:
		out = append(out, difference{"body", fmt.Sprintf("is %q, recorded %q", body, r.body)})
	}
	return out
}

func (r recording) compareJSON(body string) []difference {
	var want, got any
	if err := json.Unmarshal([]byte(r.body), &want); err != nil {
		return []difference{{"body", "the recording is no JSON: " + err.Error()}}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		return []difference{{"body", "is no JSON: " + err.Error()}}
	}
	out := compareShape("", want, got)
	if failed, message := failure(want); len(out) == 0 && failed {
		if _, m := failure(got); m != message {
			out = append(out, difference{".message", fmt.Sprintf("is %q, recorded %q", m, message)})
		}
	}
	return out
}

// failure reports whether an answer is an error, and which: those of both majors
// have a message, and nothing else has one at the top.
func failure(body any) (failed bool, message string) {
	o, _ := body.(map[string]any)
	m, ok := o["message"]
	return ok, fmt.Sprint(m, " ", o["code"])
}

// compareShape says where got has other fields or types than want. An element
// of a list must be like one of those recorded, and there must be as many.
func compareShape(at string, want, got any) []difference {
	var out []difference
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []difference{{at, fmt.Sprintf("is %T, recorded as an object", got)}}
		}
		if missing, more := keysWithout(w, g), keysWithout(g, w); len(missing)+len(more) > 0 {
			out = append(out, difference{at, fmt.Sprintf("lacks %v, has besides %v", missing, more)})
		}
		for _, k := range slices.Sorted(maps.Keys(w)) {
			if v, ok := g[k]; ok {
				out = append(out, compareShape(at+"."+k, w[k], v)...)
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok {
			return []difference{{at, fmt.Sprintf("is %T, recorded as a list", got)}}
		}
		if len(g) != len(w) {
			out = append(out, difference{at + "[]", fmt.Sprintf("%d elements, recorded %d", len(g), len(w))})
		}
		for _, item := range g {
			out = append(out, closest(at+"[]", w, item)...)
		}
	default:
		if a, b := fmt.Sprintf("%T", want), fmt.Sprintf("%T", got); a != b {
			return []difference{{at, "is " + b + ", recorded " + a}}
		}
	}
	return out
}

func keysWithout(a, b map[string]any) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if _, ok := b[k]; !ok {
			out = append(out, k)
		}
	}
	return out
}

// closest compares an element with the recorded one it differs least from.
func closest(at string, like []any, got any) []difference {
	var best []difference // none if nothing was recorded to compare with
	for i, one := range like {
		d := compareShape(at, one, got)
		if len(d) == 0 {
			return nil
		}
		if i == 0 || len(d) < len(best) {
			best = d
		}
	}
	return best
}

// compareExposition compares what Prometheus scrapes by its families and types.
func compareExposition(want, got string) []difference {
	w, g := families(want), families(got)
	var out []difference
	for _, name := range slices.Sorted(maps.Keys(w)) {
		if g[name] != w[name] {
			out = append(out, difference{"family " + name, fmt.Sprintf("is %q, recorded %q", g[name], w[name])})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g)) {
		if _, ok := w[name]; !ok {
			out = append(out, difference{"family " + name, "is not recorded"})
		}
	}
	return out
}

// families gives the type of each metric in a text exposition.
func families(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == "#" && f[1] == "TYPE" {
			out[f[2]] = f[3]
		}
	}
	return out
}
