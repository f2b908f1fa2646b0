// Package putback says for a plan what becomes of what is there where the record takes its
// place.
package putback
