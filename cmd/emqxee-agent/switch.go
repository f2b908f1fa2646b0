package main

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"
)

// onOff is a flag that is on or off. It takes the words that people and files use
// for that, and its errors say which.
type onOff struct{ on *bool }

// switchWords are the words for on and for off.
var switchWords = map[string]bool{
	"true": true, "yes": true, "on": true, "1": true,
	"false": false, "no": false, "off": false, "0": false,
}

// defineSwitch defines such a flag; without a value it is on.
func defineSwitch(flags *pflag.FlagSet, on *bool, name, usage string) {
	flags.Var(onOff{on}, name, usage)
	flags.Lookup(name).NoOptDefVal = "true"
}

// Set takes a word.
func (o onOff) Set(text string) error {
	on, known := switchWords[strings.ToLower(strings.TrimSpace(text))]
	if !known {
		return errors.New("true or false is wanted")
	}
	*o.on = on
	return nil
}

// String returns the word that JSON and YAML have.
func (o onOff) String() string {
	if o.on != nil && *o.on {
		return "true"
	}
	return "false"
}

// Type is what the help shows; as that of a bool, it shows nothing.
func (o onOff) Type() string { return "bool" }
