package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// checkCommand shows what flags, variables and file come to, or what is wrong.
func checkCommand(stdout, stderr io.Writer, environ []string) *cobra.Command {
	var c config
	check := &cobra.Command{
		Use:   "check",
		Short: "say everything that is wrong with the configuration, or print what it comes to",
		Long: "It takes the flags of serve, reads what serve would read, and starts nothing.\n\n" +
			environmentHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			warnings, err := c.resolve(cmd, environ)
			for _, w := range warnings {
				fmt.Fprintln(stderr, "ecpd: warning:", w)
			}
			unreachable := c.checkKubernetes()
			if errors.Is(unreachable, errNoKubernetes) { // nothing in the file is wrong: it may be for a pod
				fmt.Fprintln(stderr, "ecpd: warning: serve would not start here:", unreachable)
				unreachable = nil
			}
			if err := errors.Join(err, c.check(), unreachable); err != nil {
				return manyLines{err}
			}
			_, err = io.WriteString(stdout, c.effective())
			return err
		},
	}
	c.define(check)
	parent := &cobra.Command{Use: "config", Short: "look at the configuration", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{errors.New("config takes a command: check")}
		}}
	parent.AddCommand(check)
	return parent
}

// manyLines is an error whose parts are printed one a line.
type manyLines struct{ error }

func (e manyLines) Unwrap() error { return e.error }

// checkKubernetes says why there is no way to Kubernetes. What a file that
// cannot be read says of it is not known.
func (c *config) checkKubernetes() error {
	if c.dev || c.unread {
		return nil
	}
	_, err := kubernetesConfig(*c, slog.New(slog.DiscardHandler))
	return err
}

// effective is the configuration as a file, secrets left out, each value with where it
// comes from.
func (c *config) effective() string {
	var b strings.Builder
	before := ""
	for _, s := range c.settings() {
		if s.key == "" {
			continue
		}
		section, key, nested := strings.Cut(s.key, ".")
		if !nested {
			section, key = "", s.key
		} else {
			key = "  " + key
		}
		if nested && section != before {
			fmt.Fprintf(&b, "%s:\n", section)
		}
		before = section
		fmt.Fprintf(&b, "%-40s # %s\n", key+": "+s.printed(), cmp.Or(c.origins[s.name].place, "default"))
	}
	return b.String()
}

// printed is a value as YAML.
func (s setting) printed() string {
	v := s.flag()
	text := v.String()
	if kinds[v.Type()].tag != "!!str" {
		return text
	}
	if s.hidden && text != "" {
		text = redacted
	}
	out, err := yaml.Marshal(text)
	if err != nil {
		return fmt.Sprintf("%q", text)
	}
	return strings.TrimSpace(string(out))
}
