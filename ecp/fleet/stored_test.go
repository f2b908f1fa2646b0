package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// goldenDir has, of everything that is kept as JSON, one value with every field set,
// one with none, and the words that its fields are made of.
const goldenDir = "testdata/records"

const howToUpdate = "what databases in the field hold would not be read as it was written. " +
	"Where that is meant, and older records are still read: go test ./ecp/fleet -run TestStored -update"

// stored is a type whose values are kept as JSON.
type stored struct {
	zero   any
	decode func([]byte) (any, error)
}

// storedTypes returns every payload that a Store keeps by its kind, and what is kept
// within payloads or beside the Store as text.
func storedTypes(t *testing.T) map[string]stored {
	t.Helper()
	out := map[string]stored{
		"manifest":            textOf[derive.Manifest](), // with the objects of a hosted cluster
		"answer-cluster":      textOf[created](),         // answers to idempotency keys that are no payloads
		"answer-registration": textOf[agents.NewRegistration](),
		"answer-token":        textOf[tenancy.NewToken](),
	}
	for kind := range Kinds() {
		decode := func(b []byte) (any, error) { return Kinds().Decode(kind, b) }
		zero, err := decode([]byte("{}"))
		require.NoError(t, err)
		out[string(kind)] = stored{zero, decode}
	}
	return out
}

func textOf[T any]() stored {
	var zero T
	return stored{zero, func(b []byte) (any, error) {
		var v T
		err := json.Unmarshal(b, &v)
		return v, err
	}}
}

// The stored JSON of every kind stays as it is. json.Marshal is what stores encode
// with, see [ecp.Codec].
func TestStoredJSON(t *testing.T) {
	files := map[string]bool{enumGolden: true}
	for name, s := range storedTypes(t) {
		full := reflect.New(reflect.TypeOf(s.zero)).Elem()
		require.NoError(t, fill(full, name, map[string]reflect.Type{}))
		for form, value := range map[string]any{"full": full.Interface(), "zero": s.zero} {
			file := name + "." + form + ".json"
			files[file] = true
			t.Run(file, func(t *testing.T) { requireStoredAs(t, file, value, s) })
		}
	}
	found, err := os.ReadDir(goldenDir)
	require.NoError(t, err)
	for _, f := range found {
		assert.True(t, files[f.Name()], "no kind is stored as %s any more, and databases in the field have it",
			f.Name())
	}
}

func requireStoredAs(t *testing.T, file string, value any, s stored) {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	golden := readGolden(t, file, indented(t, text))
	require.Equal(t, string(golden), string(indented(t, text)), howToUpdate)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, golden))
	require.Equal(t, compact.String(), string(text), howToUpdate)

	back, err := s.decode(golden)
	require.NoError(t, err)
	require.Equal(t, value, back, "what is decoded is what was encoded")
	if p, ok := value.(ecp.Payload); ok {
		require.Equal(t, value, any(p.Copy()), "a copy has every field")
	}
}

// goldenBefore has what earlier builds stored in other words: what it decodes to is
// stored under the names of fields of today, with nothing lost.
const goldenBefore = "testdata/records-2026-11"

func TestStoredBefore(t *testing.T) {
	all := storedTypes(t)
	all["licence"] = all[string(ecp.KindLicense)]
	files, err := os.ReadDir(goldenBefore)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		older, err := os.ReadFile(filepath.Join(goldenBefore, f.Name()))
		require.NoError(t, err)
		kind, _, _ := strings.Cut(f.Name(), ".")
		value, err := all[kind].decode(older)
		require.NoError(t, err)
		text, err := json.Marshal(value)
		require.NoError(t, err)
		want := strings.ReplaceAll(string(older), `"licence":`, `"license":`)
		assert.Equal(t, want, string(indented(t, text)), f.Name())
	}
}

// enumGolden lists the words that fields of a type with constants are made of, by
// the place where they stand.
const enumGolden = "words.txt"

// The constants that records are made of are as much a part of what is stored as the
// names of fields.
func TestStoredWords(t *testing.T) {
	types := map[string]reflect.Type{}
	for name, s := range storedTypes(t) {
		require.NoError(t, fill(reflect.New(reflect.TypeOf(s.zero)).Elem(), name, types))
	}
	packages := map[string]map[string][]string{}
	var lines []string
	for at, typ := range types {
		dir := filepath.Join(moduleRoot(t), strings.TrimPrefix(typ.PkgPath(), modulePath))
		if packages[dir] == nil {
			packages[dir] = stringConstants(t, dir)
		}
		if words := packages[dir][typ.Name()]; len(words) > 1 && !strings.HasPrefix(at, "answer-") {
			slices.Sort(words)
			lines = append(lines, at+": "+strings.Join(slices.Compact(words), " ")+"\n")
		}
	}
	slices.Sort(lines)
	want := readGolden(t, enumGolden, []byte(strings.Join(lines, "")))
	require.Equal(t, string(want), strings.Join(lines, ""), howToUpdate)
}

// A kind that nothing decodes has no golden file. Those of dashboards are decoded by package
// proxy, and last for hours.
func TestStoredKindsAreDecoded(t *testing.T) {
	typ := reflect.TypeFor[ecp.Kind]()
	dir := filepath.Join(moduleRoot(t), strings.TrimPrefix(typ.PkgPath(), modulePath))
	kinds := stringConstants(t, dir)[typ.Name()]
	kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == string(ecp.KindDashboard) })
	require.NotEmpty(t, kinds)
	for _, k := range kinds {
		assert.Contains(t, Kinds(), ecp.Kind(k))
	}
	assert.Len(t, kinds, len(Kinds()))
}

// readGolden returns what a golden file holds; with -update it is written first.
func readGolden(t *testing.T, file string, now []byte) []byte {
	t.Helper()
	file = filepath.Join(goldenDir, file)
	if *update {
		require.NoError(t, os.MkdirAll(goldenDir, 0o755))
		require.NoError(t, os.WriteFile(file, now, 0o644))
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		require.Fail(t, file+" is missing",
			"go test ./ecp/fleet -run TestStored -update writes the golden files of a new kind")
	}
	require.NoError(t, err)
	return b
}

func indented(t *testing.T, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, json.Indent(&out, text, "", "  "))
	return append(out.Bytes(), '\n')
}
