package fleet

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/fnv"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fill sets everything in v that JSON keeps to a value that tells where it stands, so
// that a field which is added, renamed or lost shows. It notes the named types of
// texts by their place.
func fill(v reflect.Value, at string, words map[string]reflect.Type) error {
	number := fnv.New32a()
	_, _ = number.Write([]byte(at)) // never fails
	n := int64(number.Sum32()%9000) + 1000
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 3, 1, 12, 30, 0, int(n), time.UTC).Add(time.Duration(n) * time.Minute)))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(at)
		if v.Type().PkgPath() != "" {
			words[at] = v.Type()
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(n)
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(n))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(n) + 0.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), at, words)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(at))
			return nil
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return fill(v.Index(0), at+"[]", words)
	case reflect.Map:
		return fillMap(v, at, words)
	case reflect.Struct:
		return fillStruct(v, at, words)
	default:
		return fmt.Errorf("%s: a %s cannot be filled; teach it to fill", at, v.Type())
	}
	return nil
}

func fillMap(v reflect.Value, at string, words map[string]reflect.Type) error {
	key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
	if err := fill(key, at+"{key}", words); err != nil {
		return err
	}
	if err := fill(value, at+"{}", words); err != nil {
		return err
	}
	v.Set(reflect.MakeMap(v.Type()))
	v.SetMapIndex(key, value)
	return nil
}

func fillStruct(v reflect.Value, at string, words map[string]reflect.Type) error {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		place := at
		switch {
		case name != "":
			place += "." + name
		case !f.Anonymous:
			place += "." + f.Name
		}
		if err := fill(v.Field(i), place, words); err != nil {
			return err
		}
	}
	return nil
}

const modulePath = "github.com/openecp/openecp"

// moduleRoot returns the folder of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "there is no go.mod")
		dir = filepath.Dir(dir)
	}
}

// stringConstants returns the constants of a package's texts, by the names of their
// types.
func stringConstants(t *testing.T, dir string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	out := map[string][]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range tree.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				noteConstants(out, s.(*ast.ValueSpec))
			}
		}
	}
	return out
}

func noteConstants(out map[string][]string, s *ast.ValueSpec) {
	typ, ok := s.Type.(*ast.Ident)
	if !ok {
		return
	}
	for _, v := range s.Values {
		if literal, ok := v.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if word, err := strconv.Unquote(literal.Value); err == nil {
				out[typ.Name] = append(out[typ.Name], word)
			}
		}
	}
}
