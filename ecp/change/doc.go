// Package change is the only door through which records of a fleet are changed: a
// [Writer] carries each change out in one transaction, with the quota that it books, the
// audit entry that tells of it, and the answer for whoever repeats it under the same
// idempotency key. What is refused for want of a right is written to the audit too.
package change
