// Package drift compares the settings that EMQX runs with with those that are asked for. It is pure: whoever asks EMQX
// for its settings hands them in. What it says of a difference has the values only of settings that are no secrets.
package drift
