package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// envPrefix begins the name of every variable that is read.
const envPrefix = "ECPD_"

// envToken is the variable of the one setting that is no flag.
const envToken = envPrefix + "BOOTSTRAP_TOKEN"

const environmentHelp = "Every flag can be given as a variable instead, --data-dir as " + envPrefix + "DATA_DIR, " +
	"or in the file of --config.\n" +
	"A flag wins over a variable, a variable over the file. ecpd config check shows what they come to.\n" +
	envToken + " is the API token of a system administrator, stored (as a hash) at the first start."

// dataDirHelp ends the help of commands that work on the data directory.
const dataDirHelp = "The data directory is found as serve finds it: its variables and its file count, too."

// define sets the defaults and adds flags to a command: those that are named, or all.
// Parsing them writes to c.
func (c *config) define(cmd *cobra.Command, names ...string) {
	for _, s := range c.settings() {
		s.reset()
		if s.hidden || len(names) > 0 && !slices.Contains(names, s.name) {
			continue
		}
		v := s.flag()
		if f := cmd.Flags().VarPF(v, s.name, "", s.usage); v.Type() == "bool" {
			f.NoOptDefVal = "true" // the flag may stand alone
		}
	}
}

// resolve adds variables and the file to what the flags have set, and returns
// warnings. The error says everything that is wrong; c then holds what is right.
func (c *config) resolve(cmd *cobra.Command, environ []string) (warnings []string, err error) {
	c.origins = map[string]origin{}
	for _, s := range c.settings() {
		if cmd.Flags().Changed(s.name) {
			c.origins[s.name] = origin{place: "--" + s.name}
		}
	}
	warnings, err = c.readEnvironment(environ)
	err = errors.Join(err, c.readFile())
	c.fill()
	if c.fileHoldsSecrets() && readableByOthers(c.file) {
		warnings = append(warnings, c.file+" holds a secret and others may read it: chmod 600 it")
	}
	return warnings, err
}

// fill sets the defaults that depend on other settings, for every command alike.
func (c *config) fill() {
	if c.dataDir == "" {
		c.dataDir = "/var/lib/ecpd"
		if c.dev {
			c.dataDir = ".cache/dev"
		}
	}
}

// fileHoldsSecrets reports whether the file of settings is one that only the daemon
// should read.
func (c *config) fileHoldsSecrets() bool {
	return slices.ContainsFunc(c.settings(), func(s setting) bool {
		return s.hidden && s.flag().String() != "" && c.origins[s.name].line > 0
	})
}

// readEnvironment takes from variables what no flag has set, and warns of variables
// that look like ours and are not.
func (c *config) readEnvironment(environ []string) (warnings []string, err error) {
	known := map[string]setting{}
	for _, s := range c.settings() {
		known[s.variable()] = s
	}
	inPod := slices.ContainsFunc(environ, func(kv string) bool {
		return strings.HasPrefix(kv, "KUBERNETES_SERVICE_HOST=")
	})
	for _, kv := range environ {
		name, text, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, envPrefix) || inPod && isServiceLink(name) {
			continue
		}
		s, ok := known[name]
		if !ok {
			warnings = append(warnings, unknownVariable(name, slices.Sorted(maps.Keys(known))))
			continue
		}
		if _, byFlag := c.origins[s.name]; byFlag {
			continue
		}
		if wrong := s.flag().Set(text); wrong != nil {
			err = errors.Join(err, fmt.Errorf("%s is %s; %w", name, s.shown(text), wrong))
			continue
		}
		c.origins[s.name] = origin{place: name}
	}
	slices.Sort(warnings)
	return warnings, err
}

func unknownVariable(name string, known []string) string {
	advice := "see ecpd --help"
	if meant := nearest(name, known); meant != "" {
		advice = "did you mean " + meant + "?"
	}
	return "the variable " + name + " is not known and not used; " + advice
}

// isServiceLink reports whether Kubernetes itself has set a variable, because there
// is a Service named ecpd beside the pod.
func isServiceLink(name string) bool {
	name = strings.TrimPrefix(name, envPrefix)
	return name == "PORT" || strings.HasPrefix(name, "PORT_") || strings.HasPrefix(name, "SERVICE_")
}

// readFile takes from the file what neither a flag nor a variable has set.
func (c *config) readFile() error {
	if c.file == "" {
		return nil
	}
	found, err := readSettings(c.file)
	c.unread = err != nil && found == nil
	for _, s := range c.settings() {
		g, ok := found[s.key]
		if _, set := c.origins[s.name]; !ok || set {
			continue
		}
		if wrong := s.flag().Set(g.text); wrong != nil {
			err = errors.Join(err, fmt.Errorf("%s:%d: %s: %w", c.file, g.line, s.key, wrong))
			continue
		}
		c.origins[s.name] = origin{fmt.Sprintf("%s:%d", c.file, g.line), g.line}
	}
	return err
}

// again returns the configuration with the file as it is today. Flags and variables
// do not change while the process lives.
func (c config) again() (config, error) {
	before := c.origins
	c.origins = map[string]origin{}
	for _, s := range c.settings() {
		if from, given := before[s.name]; given && from.line == 0 {
			c.origins[s.name] = from
		} else {
			s.reset()
		}
	}
	err := c.readFile()
	c.fill()
	return c, errors.Join(err, c.check())
}

func readableByOthers(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().Perm()&(fs.ModePerm&0o077) != 0
}
