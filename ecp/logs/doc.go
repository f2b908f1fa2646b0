// Package logs reads and follows the logs of clusters: of hosted clusters from their pods,
// of adopted ones through the agents on their hosts.
//
// A [Reader] belongs to a Manager, as its field Logs. [Reader.Read] merges the lines of all
// nodes by time, and goes on with nodes that are replaced or added. Where a log cannot be
// read, a line with a Gap says so in its place, and the other logs are read all the same.
//
// What a hosted cluster was given as secrets is masked before a line leaves this package;
// where the secrets cannot be told, nothing is shown. Agents mask on their hosts.
package logs
