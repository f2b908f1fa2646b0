// Package ring keeps what an agent saw of its broker on its disk for some hours,
// while nobody fetches it: records in segment files, oldest first, bounded by age and
// by size.
//
//   - Each run of the process is an epoch of its own and begins with a record that
//     tells of the time in which the agent did not run. So no position is ever given
//     twice, whatever was lost at the end of the run before.
//   - A record is written with one call: who is killed behind it loses nothing. With the
//     power the last seconds may go, but for what was appended with sync.
//   - Each line has a check sum. What cannot be read is a gap, never a record.
//   - A segment begins with what held when it was begun, so that dropping those before it
//     loses no state; what holds and no record tells of is written when it is known.
//   - Ages go by a clock that nobody sets: the times of records decide nothing.
package ring
