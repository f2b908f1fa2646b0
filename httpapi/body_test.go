package httpapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

func parsed(t *testing.T, text string) body {
	t.Helper()
	b, p := parse([]byte(text))
	require.Nil(t, p, text)
	return b
}

// everyKind has a field of every kind that bodies have.
type everyKind struct {
	Text  string            `json:"text" required:"true"`
	Mode  ecp.Mode          `json:"mode"`
	Whole int               `json:"whole"`
	Small int8              `json:"small"`
	Yes   bool              `json:"yes"`
	At    time.Time         `json:"at,omitzero"`
	List  []ecp.Listener    `json:"list"`
	Map   map[string]string `json:"map"`
	Inner quantityPair      `json:"inner"`
	Maybe *int64            `json:"maybe"`
}

// A body that has the documented form is read as encoding/json reads it.
func TestBodiesAreReadAsJSON(t *testing.T) {
	for _, text := range []string{
		`{"text":"é\u00e9","mode":"hosted","whole":-7,"small":127,"yes":true,"at":"2026-01-02T03:04:05.5+02:00",` +
			`"list":[{"protocol":"mqtt","port":1},{}],"map":{"a.b":"1","":""},"inner":{"limit":"2"},"maybe":9007199254740993}`,
		`{"text":"x","mode":null,"whole":null,"yes":null,"at":null,"list":null,"map":{"a":null},"inner":null,"maybe":null}`,
		`{"text":"x","list":[],"map":{},"inner":{}}`,
	} {
		var want everyKind
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		got, err := decode[everyKind](parsed(t, text))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	text := mustJSON(t, requestExamples["createCluster"][0].body)
	var want createBody[ecp.HostedSpec]
	require.NoError(t, json.Unmarshal(text, &want))
	got, err := decode[createBody[ecp.HostedSpec]](parsed(t, string(text)))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// A bad body is answered with every field that is wrong, at once, and what it has to be.
func TestBadBodiesNameEveryField(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:            " is an array; an object is wanted",
		`null`:          " is null; an object is wanted",
		`{"text":""}`:   "/text is missing or empty; a string is wanted",
		`{"text":null}`: "/text is missing or empty; a string is wanted",
		`{"text":"x","whole":1.5,"small":128,"yes":"true","at":"today","maybe":[]}`: "" +
			"/whole is 1.5; a whole number is wanted that is not too large, " +
			"/small is 128; a whole number is wanted that is not too large, /yes is a string; a boolean is wanted, " +
			"/at is not a time such as 2026-01-02T03:04:05Z, /maybe is an array; a whole number is wanted",
		`{"text":7,"at":{},"list":{},"map":[],"inner":"x"}`: "/text is a number; a string is wanted, " +
			"/at is an object; a time such as 2026-01-02T03:04:05Z is wanted, " +
			"/list is an object; an array is wanted, " +
			"/map is an array; an object is wanted, /inner is a string; an object is wanted",
		`{"text":"x","list":[{},{"port":"1"}],"map":{"a/b":1}}`: "" +
			"/list/1/port is a string; a whole number is wanted, " +
			"/map/a~1b is a number; a string is wanted",
		`{"text":"x","inner":{"Limit":"1"}}`:        "/inner/Limit is not known; known are request, limit",
		`{"text":"x","inner":{},"inner":{}}`:        "/inner stands twice",
		`{"text":"x","map":{"a":"1","a":"2"}}`:      "/map/a stands twice",
		`{"text":"x","list":[{"port":1,"port":1}]}`: "/list/0/port stands twice",
	} {
		var into everyKind
		p := parsed(t, text).fill(&into, false)
		require.NotNil(t, p, text)
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Pointer+" "+e.Detail)
		}
		require.Equal(t, want, strings.Join(got, ", "), text)
	}
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"%s%d":1,`, strings.Repeat("x", 1000), i)
	}
	p := parsed(t, "{"+many.String()+`"text":"x"}`).fill(new(everyKind), false)
	require.Len(t, p.Errors, maxFindings)
	require.LessOrEqual(t, len(p.Errors[0].Pointer), maxPointer+len("…"))
}

// A merge patch changes what it names, at any depth, and null takes a value back.
func TestMergePatch(t *testing.T) {
	old := everyKind{
		Text: "old", Whole: 1, Yes: true, List: []ecp.Listener{{Port: 1}, {Port: 2}},
		Map:   map[string]string{"a": "1", "b": "2"},
		Inner: quantityPair{Request: "1", Limit: "2"}, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	for text, change := range map[string]func(*everyKind){
		`{}`:                             func(*everyKind) {},
		`{"text":null,"at":null}`:        func(e *everyKind) { e.Text, e.At = "", time.Time{} },
		`{"whole":0,"yes":false}`:        func(e *everyKind) { e.Whole, e.Yes = 0, false },
		`{"list":[{"port":3}]}`:          func(e *everyKind) { e.List = []ecp.Listener{{Port: 3}} },
		`{"list":null,"map":null}`:       func(e *everyKind) { e.List, e.Map = nil, nil },
		`{"map":{"a":null,"c":"3"}}`:     func(e *everyKind) { e.Map = map[string]string{"b": "2", "c": "3"} },
		`{"inner":{"limit":"4"}}`:        func(e *everyKind) { e.Inner.Limit = "4" },
		`{"inner":{"request":null}}`:     func(e *everyKind) { e.Inner.Request = "" },
		`{"inner":null,"mode":"hosted"}`: func(e *everyKind) { e.Inner, e.Mode = quantityPair{}, ecp.Hosted },
	} {
		got, want := old, old
		require.Nil(t, parsed(t, text).fill(&got, true), text)
		change(&want)
		require.Equal(t, want, got, text)
	}
	require.Equal(t, map[string]string{"a": "1", "b": "2"}, old.Map, "a patch writes into a map of its own")

	p := parsed(t, `{"whole":null,"yes":null}`).fill(new(everyKind), true)
	require.Equal(t, []fieldView{
		{"/whole", "is null; leave it out to keep what is there, or give 0"},
		{"/yes", "is null; leave it out to keep what is there, or give false"},
	}, p.Errors)
}

// Every field of every body is of a kind that bodies are read into.
func TestBodiesHaveKnownKinds(t *testing.T) {
	var check func(at string, v reflect.Type)
	check = func(at string, v reflect.Type) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			check(at+"/", v.Elem())
		case reflect.Struct:
			for i := 0; i < v.NumField() && v != timeType; i++ {
				if name := v.Field(i).Tag.Get("json"); name != "" && name != "-" {
					check(at+"/"+name, v.Field(i).Type)
				}
			}
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int64:
		default:
			t.Errorf("%s is a %s", at, v)
		}
	}
	for _, v := range []any{
		createBody[ecp.HostedSpec]{}, createBody[ecp.AdoptedSpec]{}, updateBody[ecp.HostedSpec]{},
		updateBody[ecp.AdoptedSpec]{},
		setupBody{}, transferBody{}, scaleBody{}, resizeBody{}, connectionsBody{}, imageBody{}, ecp.Network{},
		takeOverBody{},
		imageEntry{}, sizeEntry{}, registryEntry{}, licenseEntry{}, lbProfileEntry{}, targetEntry{}, identityBody{},
		poolEntry{},
		quotaEntry{}, orgBody{}, projectBody{}, describedPatch{}, userBody{}, userPatch{}, tokenBody{}, loginBody{},
		passwordBody{},
	} {
		check(fmt.Sprintf("%T", v), reflect.TypeOf(v))
	}
}
