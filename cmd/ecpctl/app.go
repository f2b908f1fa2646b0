package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// app is what all commands share.
type app struct {
	terminal
	env   func(string) string
	flags struct {
		config, context, server, caFile, tokenFile, project, output, lang string
		allProjects                                                       bool
		timeout                                                           time.Duration
	}
	cut func() // ends what --timeout bounds
}

var errNoToken = errors.New("you are not logged in")

// settings are the flags of all commands, each with the variable that stands in for it.
func (a *app) define(flags *pflag.FlagSet) {
	f := &a.flags
	flags.StringVar(&f.config, "config", "", "file of contexts; ~/.config/openecp/config.yaml (ECPCTL_CONFIG)")
	flags.StringVar(&f.context, "context", "", "context to use instead of the current one (ECPCTL_CONTEXT)")
	flags.StringVar(&f.server, "server", "", "address of the API, https://HOST:PORT (ECPCTL_SERVER)")
	flags.StringVar(&f.caFile, "ca-file", "", "certificate authorities that the server may have (ECPCTL_CA_FILE)")
	flags.StringVar(&f.tokenFile, "token-file", "", "file that holds a token (ECPCTL_TOKEN_FILE; ECPCTL_TOKEN is one)")
	flags.StringVarP(&f.project, "project", "p", "",
		"project, ORG/PROJECT, that names are looked for in (ECPCTL_PROJECT)")
	flags.BoolVarP(&f.allProjects, "all-projects", "A", false, "all projects, where the context names one")
	flags.StringVarP(&f.output, "output", "o", "",
		"form: table, wide, json, yaml, name, jsonpath=TEMPLATE (ECPCTL_OUTPUT)")
	flags.StringVar(&f.lang, "lang", "",
		"language of tables and questions, en or zh; by LANG when left out (ECPCTL_LANG)")
	flags.DurationVar(&f.timeout, "timeout", 0,
		"how long the command may take in all, such as 90s; 0 = as long as it takes")
}

// resolve takes variables for flags that were not given, and checks what has few values.
func (a *app) resolve(flags *pflag.FlagSet) error {
	for name, value := range map[string]*string{
		"config": &a.flags.config, "context": &a.flags.context, "server": &a.flags.server, "ca-file": &a.flags.caFile,
		"token-file": &a.flags.tokenFile, "project": &a.flags.project, "output": &a.flags.output, "lang": &a.flags.lang,
	} {
		if f := flags.Lookup(name); f != nil && !f.Changed {
			*value = a.env("ECPCTL_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
		}
	}
	a.flags.lang = cmp.Or(a.flags.lang, a.langOfSystem())
	switch {
	case a.flags.lang != english && a.flags.lang != chinese:
		return usagef("--lang is en or zh, not %q", a.flags.lang)
	case a.flags.allProjects && flags.Changed("project"):
		return usagef("--project and --all-projects exclude one another")
	}
	_, err := formOf(a.flags.output)
	return err
}

// The languages that states have names in.
const (
	english = "en"
	chinese = "zh"
)

func (a *app) langOfSystem() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := a.env(name); value != "" {
			if strings.HasPrefix(value, chinese) {
				return chinese
			}
			return english
		}
	}
	return english
}

// here returns the context that a command works in, with what flags and variables say
// instead of it. One of another server has no token of the context's.
func (a *app) here() (contextOne, error) {
	name, err := configName(a.flags.config, a.env)
	if err != nil && a.flags.server == "" {
		return contextOne{}, err
	}
	var one contextOne
	if name != "" {
		if one, err = a.kept(name); err != nil {
			return one, err
		}
	}
	if s := a.flags.server; s != "" && s != one.Server {
		one = contextOne{Server: s}
	}
	if one.Server == "" {
		return one, usagef("it is not known where the server is: log in with ecpctl login SERVER, or set --server")
	}
	one.CAFile = cmp.Or(a.flags.caFile, one.CAFile)
	one.Project = cmp.Or(a.flags.project, one.Project)
	if a.flags.allProjects {
		one.Project = ""
	}
	if token := a.env("ECPCTL_TOKEN"); token != "" {
		one.Token, one.TokenFile = token, ""
	}
	if a.flags.tokenFile != "" {
		one.Token, one.TokenFile = "", a.flags.tokenFile
	}
	return one, nil
}

// kept returns the context of the file that flags or the file itself choose; an empty one
// if there is none.
func (a *app) kept(name string) (contextOne, error) {
	file, open, err := readConfig(name)
	if err != nil {
		return contextOne{}, err
	}
	if open {
		a.tell("ecpctl: warning: others can read the tokens in %s; run: chmod 600 %s", name, name)
	}
	chosen := cmp.Or(a.flags.context, file.Current)
	if found := file.find(chosen); found != nil {
		return *found, nil
	}
	if a.flags.context != "" {
		return contextOne{}, usagef("there is no context %q in %s; %s", chosen, name, file.names())
	}
	return contextOne{}, nil
}

// client returns a client of the server of the context, and the context.
func (a *app) client() (*client.Client, contextOne, error) {
	one, err := a.here()
	if err != nil {
		return nil, one, err
	}
	c, err := a.clientOf(one, func(context.Context) (string, error) {
		switch {
		case one.TokenFile != "":
			return readToken(one.TokenFile)
		case one.Token == "":
			return "", fmt.Errorf("%w at %s; run: ecpctl login %s", errNoToken, one.Server, one.Server)
		}
		return one.Token, nil
	})
	return c, one, err
}

// clientOf returns a client with the token that a function returns; nil sends none.
func (a *app) clientOf(one contextOne, token func(context.Context) (string, error)) (*client.Client, error) {
	transport, err := transportOf(one)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{
		Server: one.Server, Token: token, HTTP: &http.Client{Transport: transport},
		UserAgent: "ecpctl/" + buildInfo().Version,
	})
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// transportOf returns what connects to the server of a context.
func transportOf(one contextOne) (*http.Transport, error) {
	standard, _ := http.DefaultTransport.(*http.Transport)
	transport := standard.Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if one.CAFile == "" {
		return transport, nil
	}
	pem, err := os.ReadFile(one.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities: %w", err)
	}
	transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("there is no certificate in %s; it has to be PEM", one.CAFile)
	}
	return transport, nil
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, t terminal, env func(string) string) int {
	a := &app{terminal: t, env: env, cut: func() {}}
	root := newRoot(a)
	called := own
	args = slices.Clone(args)
	switch filepath.Base(args[0]) {
	case "kubectl-openecp": // kubectl runs it for "kubectl openecp"
		called = plugin
	case "kubectl_complete-openecp": // and this one to complete that
		called = plugin
		args = slices.Insert(args, 1, cobra.ShellCompRequestCmd)
	}
	if called == plugin {
		root.Annotations[cobra.CommandDisplayNameAnnotation] = plugin
		rename(root)
	}
	root.SetArgs(args[1:])
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	err := root.ExecuteContext(ctx)
	a.cut()
	if err != nil {
		t.tell("ecpctl: %s", strings.ReplaceAll(oneLine(err.Error())+advice(err), own+" ", called+" "))
	}
	return exitCode(err)
}

// The names that the program is called by, by itself and as a plugin of kubectl.
const (
	own    = "ecpctl"
	plugin = "kubectl openecp"
)

// rename makes the helps of a command, and of those below it, say what is typed for a plugin.
func rename(c *cobra.Command) {
	for _, text := range []*string{&c.Long, &c.Example} {
		*text = strings.ReplaceAll(*text, own+" ", plugin+" ")
	}
	for _, below := range c.Commands() {
		rename(below)
	}
}
