// Package drilltest drills several daemons that share one database: a real PostgreSQL, one
// simulated platform, and clients that take whichever daemon answers. Daemons are killed,
// suspended, cut from the database and given wrong clocks meanwhile; afterwards checks go
// over what everybody has seen. It contains tests only.
package drilltest
