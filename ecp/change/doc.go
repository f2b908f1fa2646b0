// Package change is the one way in which records of a fleet are changed on behalf of
// somebody.
//
// A [Writer] carries each change out in one transaction of the store: what the change
// writes, the connections that it reserves in the pool and in quotas, its entries in
// the audit, and the answer for a caller who repeats the request under the same
// idempotency key (see [ecp.WithIdempotencyKey]). Either all of that is stored, or
// nothing.
//
// A package that keeps records describes what is asked for with a [Request], and does
// the work in a function that it hands to [Submit] or [Do]. The function gets a [Tx]:
// the transaction, who asks, and Note, which adds to the audit. Requests that are
// refused are written to the audit, too; [Writer.FlushRefusals] writes those of which
// there were too many.
//
// Reserve, Rebook and Release keep the pool and the quotas in step with the clusters.
package change
