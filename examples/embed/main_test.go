package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	said := out.String()
	t.Log(said)

	states := regexp.MustCompile(`(?m)^sensors is (\w+)$`).FindAllStringSubmatch(said, -1)
	require.NotEmpty(t, states, "no state was seen")
	require.Equal(t, "creating", states[0][1], "the first state")
	require.Equal(t, "running", states[len(states)-1][1], "the state that was waited for")
	require.Len(t, regexp.MustCompile(`(?m)^\S+ runs EMQX 5\.8\.9$`).FindAllString(said, -1), 3,
		"the members of the cluster")
	require.Contains(t, said, "deletion succeeded\n")
	require.Contains(t, said, `{"nodes":3} adds nodes [2] and replaces []`)
	require.Contains(t, said, `{"image":"emqx-ee-5.8.9"} adds nodes [] and replaces [2 1 0]`)
	require.True(t, strings.HasSuffix(said, "nodes-replaced 3/3 nodes 3/3 members 3/3\n"), "the last line")
}

// TestSnippetIsInREADME keeps what people copy the same as what is compiled.
func TestSnippetIsInREADME(t *testing.T) {
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(source), "// snippet begins\n\n")
	require.True(t, found, "main.go has no line that begins the snippet")
	snippet, _, found := strings.Cut(rest, "\n// snippet ends\n")
	require.True(t, found, "main.go has no line that ends the snippet")

	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```go\n"+snippet+"```\n",
		"README.md must show the code between the marks of main.go, line for line")
}
