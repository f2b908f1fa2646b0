package contract_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim/contract"
)

// documents is where EMQX's own documents lie, if they are at hand.
const documents = "../../../shared/emqx/openapi"

func atHand() bool {
	_, err := os.Stat(documents)
	return err == nil
}

// readDocument gives a vendor's document as it is; nil if it is not at hand.
func readDocument(t *testing.T, version string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(documents, "emqx-ee-"+version+".json.gz"))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	return b
}

// readExtract gives what is committed of a document.
func readExtract(t *testing.T, version string) contract.Answers {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", version+".json"))
	require.NoError(t, err)
	var a contract.Answers
	require.NoError(t, json.Unmarshal(b, &a))
	return a
}

// validator holds answers against a whole document.
type validator struct{ router routers.Router }

// newValidator reads a document; nil if it is not at hand.
func newValidator(t *testing.T, version string) *validator {
	t.Helper()
	b := readDocument(t, version)
	if b == nil {
		return nil
	}
	doc, err := openapi3.NewLoader().LoadFromData(onlySimulated(t, b))
	require.NoError(t, err, "EMQX's document for %s", version)
	doc.Servers = openapi3.Servers{{URL: "/api/v5"}}
	router, err := legacy.NewRouter(doc, openapi3.DisableExamplesValidation(), openapi3.DisableSchemaDefaultsValidation(),
		openapi3.DisableSchemaPatternValidation(), openapi3.DisableSchemaFormatValidation(),
		openapi3.AllowExtraSiblingFields("is_template"))
	require.NoError(t, err)
	return &validator{router}
}

// onlySimulated takes the other calls out of a document: among them are some
// that no OpenAPI reader takes.
func onlySimulated(t *testing.T, document []byte) []byte {
	t.Helper()
	var doc map[string]any
	require.NoError(t, json.Unmarshal(document, &doc))
	maps.DeleteFunc(doc["paths"].(map[string]any), func(path string, _ any) bool {
		return !slices.ContainsFunc(contract.Calls, func(call string) bool { return strings.HasSuffix(call, " "+path) })
	})
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	return b
}

// check says what is wrong with an answer, one line for each place; nothing
// where the document does not know the call.
func (v *validator) check(req *http.Request, status int, header http.Header, body []byte) []string {
	route, params, err := v.router.FindRoute(req)
	if err != nil {
		return []string{"the call is not in the document: " + err.Error()}
	}
	err = openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 status, Header: header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true},
	})
	if err == nil {
		return nil
	}
	return places(err)
}

// places are the single complaints of an error.
func places(err error) []string {
	var out []string
	switch e := err.(type) { //nolint:errorlint // a tree of errors is walked, not matched
	case openapi3.MultiError:
		for _, one := range e {
			out = append(out, places(one)...)
		}
		return out
	case *openapi3.SchemaError:
		at := "." + strings.Join(e.JSONPointer(), ".")
		return []string{at + ": " + e.Reason}
	case *openapi3filter.ResponseError:
		if e.Err != nil {
			return places(e.Err)
		}
		return []string{"status is not declared"}
	}
	return []string{err.Error()}
}

// TestExtractsAreFresh takes what is committed from the documents anew.
func TestExtractsAreFresh(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			b := readDocument(t, version)
			if b == nil {
				t.Skipf("no documents in %s", documents)
			}
			var doc map[string]any
			require.NoError(t, json.Unmarshal(b, &doc))
			want, err := contract.Extract(doc).Encode()
			require.NoError(t, err)
			got, err := os.ReadFile(filepath.Join("testdata", version+".json"))
			require.NoError(t, err)
			require.Equal(t, string(want), string(got), "run go generate in emqxsim/contract")
		})
	}
}
