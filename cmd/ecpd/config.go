package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// envPrefix begins the name of every variable that is read.
const envPrefix = "ECPD_"

// envToken is the variable of the one setting that is no flag.
const envToken = envPrefix + "BOOTSTRAP_TOKEN"

const environmentHelp = "Every flag can be given as a variable instead, --data-dir as " + envPrefix + "DATA_DIR, or in the file of --config.\n" +
	"A flag wins over a variable, a variable over the file. ecpd config check shows what they come to.\n" +
	envToken + " is the API token of a system administrator, stored (as a hash) at the first start."

// dataDirHelp ends the help of commands that work on the data directory.
const dataDirHelp = "The data directory is found as serve finds it: its variables and its file count, too."

// define sets the defaults and adds flags to a command: those that are named,
// or all. Parsing them writes to c.
func (c *config) define(cmd *cobra.Command, names ...string) {
	for _, o := range options {
		v := o.field(c)
		if err := v.Set(o.value); o.value != "" && err != nil {
			panic("default of --" + o.name + ": " + err.Error())
		}
		if o.hidden || len(names) > 0 && !slices.Contains(names, o.name) {
			continue
		}
		cmd.Flags().Var(v, o.name, o.usage)
		if b, ok := v.(*truth); ok && b.IsBoolFlag() {
			cmd.Flags().Lookup(o.name).NoOptDefVal = "true"
		}
	}
}

// resolve adds variables and the file to what the flags have set, and gives
// warnings. The error says everything that is wrong; c then holds what is right.
func (c *config) resolve(cmd *cobra.Command, environ []string) (warnings []string, err error) {
	c.origins = map[string]origin{}
	for _, o := range options {
		if cmd.Flags().Changed(o.name) {
			c.origins[o.name] = origin{source: fromFlag}
		}
	}
	warnings, err = c.fromEnvironment(environ)
	err = errors.Join(err, c.fromFile())
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

// fileHoldsSecrets says whether the file of settings is one that only the
// daemon should read.
func (c *config) fileHoldsSecrets() bool {
	return slices.ContainsFunc(options, func(o option) bool {
		return o.hidden && o.field(c).String() != "" && c.origins[o.name].source == fromFile
	})
}

// fromEnvironment fills in what no flag has set, and warns of variables that
// look like ours and are not.
func (c *config) fromEnvironment(environ []string) (warnings []string, err error) {
	byVariable, names := map[string]option{}, []string{}
	for _, o := range options {
		byVariable[o.variable()] = o
		names = append(names, o.variable())
	}
	inPod := slices.ContainsFunc(environ, func(kv string) bool { return strings.HasPrefix(kv, "KUBERNETES_SERVICE_HOST=") })
	var wrong []error
	for _, kv := range environ {
		key, text, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(key, envPrefix) || inPod && serviceLink(key) {
			continue
		}
		o, known := byVariable[key]
		switch {
		case !known:
			warnings = append(warnings, unknownVariable(key, names))
		case c.origins[o.name].source < fromVariable:
			if err := o.field(c).Set(text); err != nil {
				wrong = append(wrong, fmt.Errorf("%s is %s; %w", key, o.shown(text), err))
				continue
			}
			c.origins[o.name] = origin{source: fromVariable}
		}
	}
	slices.Sort(warnings)
	return warnings, errors.Join(wrong...)
}

func unknownVariable(key string, names []string) string {
	if meant := nearest(key, names); meant != "" {
		return "the variable " + key + " is not known and not used; did you mean " + meant + "?"
	}
	return "the variable " + key + " is not known and not used; see ecpd --help"
}

// serviceLink says whether Kubernetes itself has set a variable, because there
// is a Service named ecpd beside the pod.
func serviceLink(key string) bool {
	return strings.HasPrefix(key, envPrefix+"SERVICE_") || key == envPrefix+"PORT" || strings.HasPrefix(key, envPrefix+"PORT_")
}

// fromFile fills in what neither flag nor variable has set.
func (c *config) fromFile() error {
	if c.file == "" {
		return nil
	}
	found, err := readSettings(c.file)
	c.unread = err != nil && found == nil
	for _, o := range options {
		g, ok := found[o.key]
		if !ok || c.origins[o.name].source > fromFile {
			continue
		}
		if e := o.field(c).Set(g.text); e != nil {
			err = errors.Join(err, fmt.Errorf("%s:%d: %s: %w", c.file, g.line, o.key, e))
			continue
		}
		c.origins[o.name] = origin{fromFile, g.line}
	}
	return err
}

// again gives the configuration that the file of today makes of it; flags and
// variables do not change while the process lives.
func (c config) again() (config, error) {
	origins := map[string]origin{}
	for _, o := range options {
		if from := c.origins[o.name]; from.source > fromFile {
			origins[o.name] = from
		} else if err := o.field(&c).Set(o.value); err != nil && o.value != "" {
			return c, err
		}
	}
	c.origins = origins
	err := c.fromFile()
	c.fill()
	return c, errors.Join(err, c.check())
}

func readableByOthers(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().Perm()&(fs.ModePerm&0o077) != 0
}
