package sqlstore

import "path/filepath"

// logSuffix ends the name of SQLite's write-ahead log.
const logSuffix = "-wal"

// Files returns the names of a database's files in a folder, whether or not they are
// there: the database, and the log of what was written and is not in it yet.
func Files(dir string) (database, log string) {
	database = filepath.Join(dir, fileName)
	return database, database + logSuffix
}
