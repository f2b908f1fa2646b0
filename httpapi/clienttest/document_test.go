package clienttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

const document = "../openapi.json"

// valid says why a document is not one of OpenAPI 3.1; "" if it is.
func valid(t *testing.T, b []byte) string {
	t.Helper()
	doc, err := libopenapi.NewDocument(b)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(doc.GetVersion(), "3.1"), doc.GetVersion())
	_, wrong := schema_validation.ValidateOpenAPIDocument(doc)
	var out strings.Builder
	for _, w := range wrong {
		for _, s := range w.SchemaValidationErrors {
			fmt.Fprintf(&out, "%s: %s\n", s.FieldPath, s.Reason)
		}
	}
	var all any
	require.NoError(t, json.Unmarshal(b, &all))
	meta, err := jsonschema.NewCompiler().Compile("https://json-schema.org/draft/2020-12/schema")
	require.NoError(t, err)
	for at, s := range schemas("", all) {
		if err := meta.Validate(s); err != nil {
			fmt.Fprintf(&out, "%s: %v\n", at, err)
		}
	}
	return out.String()
}

// schemas returns every schema of a document by where it stands. OpenAPI leaves
// what is in them to JSON Schema.
func schemas(at string, v any) map[string]any {
	out := map[string]any{}
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if key == "schema" || strings.HasPrefix(at, "/components/schemas") {
				out[at+"/"+key] = inner
				continue
			}
			maps.Copy(out, schemas(at+"/"+key, inner))
		}
	case []any:
		for i, inner := range v {
			maps.Copy(out, schemas(fmt.Sprintf("%s/%d", at, i), inner))
		}
	}
	return out
}

func TestDocumentIsOpenAPI31(t *testing.T) {
	b, err := os.ReadFile(document)
	require.NoError(t, err)
	require.Empty(t, valid(t, b))

	for old, broken := range map[string]string{
		`"in": "query"`:       `"in": "somewhere"`,
		`"type": "string"`:    `"type": "text"`,
		`"responses": {`:      `"answers": {`,
		`"openapi": "3.1.0",`: `"openapi": "3.1.0", "colour": "red",`,
	} {
		other := bytes.Replace(b, []byte(old), []byte(broken), 1)
		require.NotEqual(t, b, other, old)
		require.NotEmpty(t, valid(t, other), broken)
	}
}
