package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
)

// manual is a page of section 1.
type manual struct {
	name string // e.g. ecpctl-cluster-create
	text string // in Markdown, as md2man takes it
}

// file is the name of the page's file.
func (m manual) file() string { return m.name + ".1.gz" }

// readManuals makes a page of each command of ecpctl from docs/ecpctl.md, which a test there
// makes from the commands themselves.
func (r release) readManuals() ([]manual, error) {
	b, err := os.ReadFile(filepath.Join(r.root, "docs/ecpctl.md"))
	if err != nil {
		return nil, err
	}
	head, commands, ok := strings.Cut(string(b), "\n## ecpctl ")
	_, about, hasAbout := strings.Cut(head, "-update`.\n")
	about, flags, hasFlags := strings.Cut(about, "\n## Flags of every command\n")
	if !ok || !hasAbout || !hasFlags {
		return nil, fmt.Errorf("make manuals: docs/ecpctl.md is not as cmd/ecpctl writes it")
	}
	var pages []manual
	var below strings.Builder
	for section := range strings.SplitSeq(commands, "\n## ecpctl ") {
		command, text, _ := strings.Cut(section, "\n")
		what, usage, _ := strings.Cut(text, "```\n")
		usage, _, _ = strings.Cut(usage, "```")
		synopsis, more, _ := strings.Cut(usage, "\n")
		examples, options, _ := strings.Cut(strings.TrimLeft(more, "\n"), "\n\n")
		what = strings.TrimSpace(what)
		short, _, _ := strings.Cut(strings.ReplaceAll(what, "\n", " "), ". ")
		short = strings.ToLower(short[:1]) + strings.TrimSuffix(short[1:], ".")
		name := "ecpctl-" + strings.ReplaceAll(command, " ", "-")
		page := r.title(name, short) + "# SYNOPSIS\n" + block(synopsis) + "# DESCRIPTION\n" + what + "\n\n# EXAMPLES\n" +
			block(examples)
		if strings.TrimSpace(options) != "" {
			page += "# OPTIONS\n" + block(options)
		}
		pages = append(pages, manual{name, page + "# SEE ALSO\n**ecpctl(1)** has the options of every command.\n"})
		fmt.Fprintf(&below, "**%s(1)**: %s\n\n", name, short)
	}
	options := strings.Trim(strings.TrimSpace(flags), "`\n")
	return append(pages, manual{"ecpctl", r.title("ecpctl", "command line of OpenECP") +
		"# SYNOPSIS\n" + block("ecpctl COMMAND [flags]\nkubectl openecp COMMAND [flags]") + "# DESCRIPTION\n" +
		strings.TrimSpace(about) + "\n\n# OPTIONS\n" + block(options) + "# COMMANDS\n" + below.String()}), nil
}

// title begins a page.
func (r release) title(name, short string) string {
	return fmt.Sprintf("%% %q \"1\" %q \"OpenECP %s\" \"OpenECP\"\n# NAME\n%s - %s\n\n", strings.ToUpper(name),
		r.date.Format("January 2006"), r.version, name, short)
}

// block is what stays as it is written.
func block(text string) string {
	return "```\n" + strings.Trim(text, "\n") + "\n```\n\n"
}

// manuals writes the pages below DIR/man, and what completes words in shells below
// DIR/completions.
func (r release) manuals(ctx context.Context, built string) error {
	man, completions := filepath.Join(built, "man"), filepath.Join(built, "completions")
	for _, dir := range []string{man, completions} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, p := range r.pages {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression) // without name and time
		if err != nil {
			return err
		}
		if _, err := w.Write(md2man.Render([]byte(p.text))); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(man, p.file()), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	// Built once more for this machine, which may be of neither architecture.
	program := filepath.Join(built, "here", "ecpctl")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags="+r.flags(), "-o", program,
		"./cmd/ecpctl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if err := r.call(build); err != nil {
		return fmt.Errorf("build ecpctl for this machine: %w", err)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		text, err := output(ctx, r.root, program, "completion", shell)
		if err != nil {
			return fmt.Errorf("make the completion for %s: %w", shell, err)
		}
		if err := os.WriteFile(filepath.Join(completions, shell), []byte(text+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}
