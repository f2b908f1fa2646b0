// Package random makes the random parts of ids and secrets.
package random
