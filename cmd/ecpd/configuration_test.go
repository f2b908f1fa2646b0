package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const configurationDoc = "../../docs/configuration.md"

// The page is made from the table of settings and from what deploy/ecpd.yaml says of
// each, so that nothing is written twice.
func TestConfigurationDocument(t *testing.T) {
	want := configurationDocument(t)
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		require.NoError(t, os.WriteFile(configurationDoc, []byte(want), 0o644))
	}
	got, err := os.ReadFile(configurationDoc)
	require.NoError(t, err)
	require.Equal(t, want, string(got),
		"docs/configuration.md is out of date; if the change is meant: go generate ./cmd/ecpd")
}

func configurationDocument(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(exampleFile)
	require.NoError(t, err)
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal(content, &document))
	meanings := map[string]string{}
	collectMeanings(meanings, "", document.Content[0])

	var b strings.Builder
	b.WriteString(`# Configuration of ecpd

This page is made from the settings themselves; ` + "`make generate`" + ` writes it anew. The words are those of
[deploy/ecpd.yaml](../deploy/ecpd.yaml), a file of all settings with their defaults, to begin with.

Each setting is a flag of ` + "`ecpd serve`" + `, a variable, and a key of the file that ` + "`--config`" + ` names. A flag wins over
a variable, a variable over the file. ` + "`bin/ecpd config check`" + ` says everything that is wrong, by file and line, or
prints what is in effect and where it comes from.

A change takes effect at the next start. SIGHUP (` + "`systemctl reload ecpd`" + `) takes those at once that say so, and reads
the files of certificate, key, authorities and kubeconfig again, which are looked at now and then as well.

| key in the file | flag | variable | default | values |
|---|---|---|---|---|
`)
	all := new(config).settings()
	for _, s := range all {
		key, flagName, value := "–", "`--"+s.name+"`", "`"+s.value+"`"
		if s.key != "" {
			key = fmt.Sprintf("[`%s`](#%s)", s.key, strings.ToLower(strings.ReplaceAll(s.key, ".", "")))
		}
		if s.hidden {
			flagName = "–"
		}
		if s.value == "" {
			value = "empty"
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s | %s |\n", key, flagName, s.variable(), value, s.values())
	}
	b.WriteString("\n\"Secret\" is what is never printed or logged, and has no flag, because other users of a host " +
		"see those.\n")
	for _, s := range all {
		if s.key == "" {
			continue
		}
		meaning := meanings[s.key]
		require.NotEmpty(t, meaning, s.key)
		fmt.Fprintf(&b, "\n## `%s`\n\n%s\n", s.key, wrapped(linked(meaning)))
	}
	return b.String()
}

// values describes the values of a setting, with unit and bounds.
func (s setting) values() string {
	var out string
	switch kind := s.flag().Type(); {
	case kind == "bool":
		out = "`true` or `false`"
	case kind == "int":
		out = "whole number"
	case kind == "duration":
		out = "time with its unit, such as `90s` or `24h`"
	case len(s.allowed) > 0:
		out = "`" + strings.Join(s.allowed, "`, `") + "`"
	default:
		out = "text"
		if m := regexp.MustCompile("`([^`]*)`").FindStringSubmatch(s.usage); m != nil {
			out = m[1]
		}
	}
	switch {
	case s.least != "" && s.most != "":
		out += fmt.Sprintf("; %s to %s", s.least, s.most)
	case s.least != "":
		out += "; at least " + s.least
	}
	if s.hidden {
		out += "; secret"
	}
	if s.reload {
		out += "; taken with SIGHUP"
	}
	return out
}

// collectMeanings finds the comment above each key.
func collectMeanings(into map[string]string, prefix string, n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if val.Kind == yaml.MappingNode {
			collectMeanings(into, prefix+key.Value+".", val)
			continue
		}
		lines := strings.Split(key.HeadComment, "\n")
		for i, l := range lines {
			lines[i] = strings.TrimSpace(strings.TrimPrefix(l, "#"))
		}
		into[prefix+key.Value] = strings.Join(lines, " ")
	}
}

// linked makes a comment Markdown: pages that it names become links.
func linked(comment string) string {
	comment = strings.NewReplacer("*", `\*`, "<", `\<`, "_", `\_`).Replace(comment)
	return regexp.MustCompile(`docs/([a-z]+\.md)`).ReplaceAllString(comment, "[$1]($1)")
}

// wrapped breaks a paragraph into lines.
func wrapped(paragraph string) string {
	var out, line string
	for _, word := range strings.Fields(paragraph) {
		if line != "" && utf8.RuneCountInString(line+" "+word) > 118 {
			out += line + "\n"
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return out + line
}
