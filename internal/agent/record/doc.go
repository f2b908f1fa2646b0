// Package record decides what of an agent's reports is worth keeping: figures of each,
// and what has changed since the one before. It is pure: files are [ring]'s business.
//
// What could not be read is neither up nor down: nothing is recorded of it, and nothing
// is filled in. Messages are counted from one look to the next; where there was none for
// a while, counting begins anew, and the time between is a gap.
package record
