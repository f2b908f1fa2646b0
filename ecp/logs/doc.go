// Package logs reads and follows the logs of clusters: those of pods, and those that agents
// read on their hosts. What clusters were given as secrets is masked. A [Reader] belongs
// to a Manager, as its field Logs.
package logs
