// Package monitor reads what the brokers of clusters know of themselves: traffic, alarms,
// rules, integrations, license and metrics, and sums them up over a fleet.
//
// A [Monitor] belongs to a Manager, as its field Monitor. Every call needs an actor in its
// context, and [ecp.RightRead] over the project of the cluster. The methods for one cluster
// ask its broker at that moment: nothing is stored, and no answer is given twice. At most
// four such calls run at a cluster at a time, two of them of one actor; the others wait.
// They return within 20 seconds, or fail as unavailable with the reason of every node that
// was asked.
//
// [Monitor.Overview] and [Monitor.ScrapeTargets] ask no broker. What an overview shows of
// brokers is gathered by [Monitor.Run] while somebody reads overviews, and comes with its
// age. A value that is not known is never shown as zero: each part of an overview says of
// how many clusters it is the sum, and how many are missing.
package monitor
