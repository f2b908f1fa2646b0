package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestChart packs the chart alone. That Helm takes it is tested in tools/chart.
func TestChart(t *testing.T) {
	pack := func() (release, []byte) {
		t.Helper()
		r, err := describe(t.Context(), t.TempDir(), []string{"amd64"})
		require.NoError(t, err)
		require.NoError(t, r.chart(t.Context(), ""))
		content, err := os.ReadFile(one(t, r.out, "ecpd-"+r.version+".tgz"))
		require.NoError(t, err)
		return r, content
	}
	r, content := pack()
	_, again := pack()
	require.Equal(t, content, again, "the same commit makes the same bytes")
	files := map[string]string{}
	z, err := gzip.NewReader(bytes.NewReader(content))
	require.NoError(t, err)
	archive := tar.NewReader(z)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, byte(tar.TypeReg), h.Typeflag, "%s is no link", h.Name)
		text, err := io.ReadAll(archive)
		require.NoError(t, err)
		files[h.Name] = string(text)
	}
	assert.Contains(t, files["ecpd/Chart.yaml"], "\nversion: \""+r.version+"\"\nappVersion: \""+r.version+"\"\n")
	assert.Contains(t, files, "ecpd/values.schema.json")
	assert.Contains(t, files, "ecpd/templates/statefulset.yaml")
	for _, shared := range []string{"rights.yaml", "admission.yaml"} {
		text, err := os.ReadFile("../../deploy/kubernetes/" + shared)
		require.NoError(t, err)
		assert.Equal(t, string(text), files["ecpd/files/"+shared])
	}
}

// TestCommandLine makes the packages of ecpctl alone, and looks into them.
func TestCommandLine(t *testing.T) {
	r, err := describe(t.Context(), t.TempDir(), []string{"amd64"})
	require.NoError(t, err)
	built := t.TempDir()
	require.NoError(t, r.manuals(t.Context(), built))
	require.NoError(t, os.MkdirAll(filepath.Join(built, "amd64"), 0o755))
	require.NoError(t, copyFile(filepath.Join(built, "here", "ecpctl"), filepath.Join(built, "amd64", "ecpctl"), 0o755))
	for _, p := range packs {
		if p.name != "ecpctl" {
			continue
		}
		for _, format := range []string{"deb", "rpm"} {
			require.NoError(t, r.pack(p, built, "amd64", format))
		}
	}
	commandLineIsWhole(t, r.out, r.version)
}

// commandLineIsWhole looks at the packages of ecpctl in a folder.
func commandLineIsWhole(t *testing.T, dir, version string) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("there is no dpkg-deb on this host")
	}
	deb := one(t, dir, "ecpctl_*_amd64.deb")
	into := t.TempDir()
	_, err := output(t.Context(), dir, "dpkg-deb", "--extract", deb, into)
	require.NoError(t, err)
	// By its other name it is the same program.
	for _, name := range []string{"kubectl-openecp", "kubectl_complete-openecp"} {
		link, err := os.Readlink(filepath.Join(into, "usr/bin", name))
		require.NoError(t, err)
		require.Equal(t, "ecpctl", link)
	}
	text, err := output(t.Context(), into, filepath.Join(into, "usr/bin/kubectl-openecp"), "cluster", "--help")
	require.NoError(t, err)
	require.Contains(t, text, "create")
	text, err = output(t.Context(), into, filepath.Join(into, "usr/bin/ecpctl"), "version", "--client", "-o", "name")
	require.NoError(t, err)
	require.Equal(t, version, text)

	page := func(name string) string {
		t.Helper()
		f, err := os.Open(filepath.Join(into, "usr/share/man/man1", name+".1.gz"))
		require.NoError(t, err)
		defer f.Close()
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		text, err := io.ReadAll(z)
		require.NoError(t, err)
		return string(text)
	}
	whole := page("ecpctl")
	for _, want := range []string{`.TH "ECPCTL" "1" "`, ".SH NAME", "--token-file", "ecpctl-cluster-create(1)"} {
		assert.Contains(t, strings.ReplaceAll(whole, `\-`, "-"), want)
	}
	create := strings.ReplaceAll(page("ecpctl-cluster-create"), `\-`, "-")
	for _, want := range []string{".SH SYNOPSIS", ".SH EXAMPLES", ".SH OPTIONS", "ecpctl cluster create", "--yes"} {
		assert.Contains(t, create, want)
	}
	if man, err := exec.LookPath("man"); err == nil {
		text, err := output(t.Context(), into, man, "--warnings", "-l", "usr/share/man/man1/ecpctl-cluster-create.1.gz")
		require.NoError(t, err)
		assert.Contains(t, text, "SYNOPSIS")
	}

	for file, want := range map[string]string{
		"usr/share/bash-completion/completions/ecpctl":    "complete -o default",
		"usr/share/zsh/vendor-completions/_ecpctl":        "#compdef ecpctl",
		"usr/share/fish/vendor_completions.d/ecpctl.fish": "complete -c ecpctl",
		"usr/share/doc/ecpctl/copyright":                  "Apache License",
	} {
		text, err := os.ReadFile(filepath.Join(into, file))
		require.NoError(t, err)
		assert.Contains(t, string(text), want, file)
	}
	if _, err := exec.LookPath("bash"); err == nil { // the shell takes what it is given
		_, err := output(t.Context(), into, "bash", "-n", "usr/share/bash-completion/completions/ecpctl")
		assert.NoError(t, err)
	}
	rpm := one(t, dir, "ecpctl-*.x86_64.rpm")
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Log("the rpm is not looked into: there is no rpm on this host")
		return
	}
	text, err = output(t.Context(), dir, "rpm", "--query", "--list", "--package", rpm)
	require.NoError(t, err)
	for _, want := range []string{"/usr/bin/kubectl-openecp", "/usr/share/zsh/site-functions/_ecpctl",
		"/usr/share/man/man1/ecpctl.1.gz"} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "vendor-completions")
}
