package clienttest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/util"
	_ "github.com/oapi-codegen/runtime" // what the client imports
	"github.com/stretchr/testify/require"
)

// A client made from the document compiles and drives a cluster from creation
// to its end: TestDrive, which is built together with the client.
func TestGeneratedClient(t *testing.T) {
	file := generate(t)
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{"client.gen.go": file}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, b, 0o600))

	drive := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-tags=generated", "-overlay="+overlay,
		"-run=^TestDrive$", ".")
	drive.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
	out, err := drive.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestDrive", "%s", out)
}

// generate writes the client to a file outside the tree.
func generate(t *testing.T) string {
	t.Helper()
	doc, err := util.LoadSwagger(document)
	require.NoError(t, err)
	config := codegen.Configuration{PackageName: "clienttest",
		Generate: codegen.GenerateOptions{Client: true, Models: true}}
	require.NoError(t, config.Validate())
	code, err := codegen.Generate(doc, config.UpdateDefaults())
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "client.gen.go")
	require.NoError(t, os.WriteFile(file, []byte(code), 0o600))
	return file
}
