package main

import (
	"os"
	"slices"
	"strings"
)

// secretFlags are the flags whose values nobody else may read.
var secretFlags = []string{"--registration-token", "--emqx-dashboard-password", "--emqx-api-secret"}

// proxyFlag may have a user and a password in its address; people put them, and
// tokens, into other addresses too, where they are refused.
const proxyFlag = "--proxy"

var addressFlags = []string{proxyFlag, "--url", "--emqx-dashboard-url", "--emqx-api-url"}

// takeArguments returns the arguments of the program, and hides the secrets among
// them from the process list: everybody on the host can read /proc/PID/cmdline.
// They can be read there until this has run, some milliseconds; the shell's
// history and what records every start (auditd) keep them. The flags ending in
// -file, and the variables, leave no such trace.
func takeArguments() []string {
	args := make([]string, len(os.Args)-1)
	for i, arg := range os.Args[1:] {
		args[i] = strings.Clone(arg)
	}
	for _, secret := range secretsIn(os.Args[1:]) {
		overwrite(secret)
	}
	return args
}

// booleans are the flags that people also write with their value as a word of its
// own.
var booleans = []string{"--emqx-log-collection-enabled", "--read-only"}

// joinBooleans puts the value of such a flag where it is looked for.
func joinBooleans(args []string) []string {
	joined := make([]string, 0, len(args)) // cobra takes nil for "those of the process"
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if slices.Contains(booleans, arg) && i+1 < len(args) {
			if _, isWord := switchWords[strings.ToLower(args[i+1])]; isWord {
				i++
				arg += "=" + args[i]
			}
		}
		joined = append(joined, arg)
	}
	return joined
}

// secretsIn returns the parts of args that are secret: the parts themselves, no
// copies.
func secretsIn(args []string) []string {
	var found []string
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		if slices.Contains(secretFlags, name) || slices.Contains(addressFlags, name) &&
			strings.ContainsAny(value, "@?") {
			found = append(found, value)
		}
	}
	return found
}
