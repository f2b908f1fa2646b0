// Package monitor asks the brokers of clusters for users: traffic, alarms, rules,
// integrations, license and metrics, and sums them up over a fleet. What is asked is
// passed on at once and nothing of it is kept, but what overviews show is gathered
// beside them, while somebody looks. A [Monitor] belongs to a Manager, as its field Monitor.
package monitor
