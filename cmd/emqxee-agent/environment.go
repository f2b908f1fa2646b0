package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// variablePrefix is what the names of the program's variables begin with.
const variablePrefix = "EMQXEE_AGENT_"

const environmentHelp = `Each flag of this command has a variable: EMQXEE_AGENT_, and the flag's name in
capitals with _ for -, as EMQXEE_AGENT_REGISTRATION_TOKEN. An empty one counts as
not set. Flags win.`

// variable returns one of the program's own variables by its name without the prefix.
func (p *program) variable(name string) string { return p.getenv(variablePrefix + name) }

// getenv reads any variable of the environment.
func (p *program) getenv(name string) string {
	for i := len(p.environ) - 1; i >= 0; i-- { // the last one counts, as in a shell
		if value, ok := strings.CutPrefix(p.environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// variableOf returns the variable that stands for a flag.
func variableOf(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(strings.TrimLeft(flag, "-"), "-", "_"))
}

// takeVariables sets the flags of a command that were not given, from their
// variables. A secret that is in a file that was named comes from there.
func (p *program) takeVariables(cmd *cobra.Command) (err error) {
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		variable := variableOf(f.Name)
		value := p.variable(strings.TrimPrefix(variable, variablePrefix))
		if f.Changed || value == "" || f.Name == "help" || cmd.Flags().Changed(otherForm(f.Name)) {
			return
		}
		if bad := cmd.Flags().Set(f.Name, value); bad != nil {
			err = errors.Join(err, fail(exitUsage, "", "the variable %s does not fit --%s: %s", variable, f.Name,
				cause(bad)))
		}
	})
	return err
}

// cause is what pflag says of a value, without the value, which may be anything.
func cause(err error) string {
	var wrong *pflag.InvalidValueError
	if errors.As(err, &wrong) {
		return errors.Unwrap(wrong).Error()
	}
	return err.Error()
}

// otherForm returns the flag that gives the same secret in another way.
func otherForm(flag string) string {
	if name, isFile := strings.CutSuffix(flag, fileSuffix); isFile {
		return name
	}
	return flag + fileSuffix
}

// withoutSecrets leaves out the variables whose values are secret: whoever may
// read a process's files reads its environment, too.
func withoutSecrets(environ []string) []string {
	var kept []string
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if !isSecretVariable(name) {
			kept = append(kept, v)
		}
	}
	return kept
}

func isSecretVariable(name string) bool {
	for _, flag := range secretFlags {
		if name == variableOf(flag) {
			return true
		}
	}
	return name == variableOf(proxyFlag)
}
