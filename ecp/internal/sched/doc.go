// Package sched hands clusters to workers: a queue that holds each cluster once, in lines
// that get their share, and turns for what may be done a few at a time.
package sched
