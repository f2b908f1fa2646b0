// Package sqlstore is a Store in an SQL database: SQLite in one folder, in the
// process, without cgo; or PostgreSQL on a server ([Config.URL], see [Postgres]).
//
// In a folder it promises, beside what [ecp.Store] says:
//
//   - A write that was acknowledged survives kill -9 and the loss of power:
//     write-ahead log, synchronous=FULL. A write that was not is there whole or
//     not at all.
//   - One process per folder. A second one is refused with a line that names
//     the folder and who holds it; the hold ends with the process, however it
//     ends.
//   - A database written by a newer version, one of another program, or one
//     that is damaged is refused with a line that says what to do, and is not
//     changed.
//   - Readers work on a snapshot and neither wait for writers nor hold them up.
//     Writers take turns. Watchers are woken by the write itself.
//
// The folder holds ecpd.db with its -wal and -shm, readable by the owner only,
// and ecpd.lock. What was written is in ecpd.db itself a moment later (a second
// without writes, ten at most), so that a copy of that file alone is recent. [Backup]
// makes one that is whole in any case, and [Restore] puts it back.
//
// An empty file, one that is cut off, and a log without its database are refused:
// none is taken for a new installation.
//
// Changes are kept until [Store.Purge] removes them: Run of a Manager on the
// Store does that now and then. Without one, whoever owns the Store calls it
// with a time at least [ecp.ChangesKept] ago.
//
// On a server, a write that was acknowledged is as safe as PostgreSQL makes it. One
// process at a time works on a database there, too, or those that are [Postgres.Shared]
// do together; the database never lets in both.
// Where the server was set back, by a restore or by a fail-over, numbers of changes
// that somebody may have seen are not given out again: watchers are told that they
// are gone, as after [Restore].
//
// All SQL and all knowledge of a driver's errors is in sqlite.go and postgres.go,
// the tables are in migrations.
package sqlstore
