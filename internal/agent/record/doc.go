// Package record decides which records are kept of an agent's observations: figures of
// each of them, and the changes since the one before. It does no I/O; package ring writes
// the records to files.
//
// A value that could not be read is neither up nor down: it is not recorded, and nothing is
// filled in. Messages are counted between two observations; after a longer break counting
// begins again, and the time between is a gap.
package record
