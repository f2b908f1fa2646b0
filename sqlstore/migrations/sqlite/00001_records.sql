-- +goose Up
-- Says whose file this is: "ECPd". Checked before anything else is touched.
PRAGMA application_id = 0x45435064;

-- One row per record. The payload is JSON; the other columns repeat what
-- records are found by. at is nanoseconds since 1970, UTC.
CREATE TABLE records (
	kind    TEXT    NOT NULL,
	key     TEXT    NOT NULL,
	project TEXT    NOT NULL,
	name    TEXT    NOT NULL,
	parent  TEXT    NOT NULL,
	state   TEXT    NOT NULL,
	version INTEGER NOT NULL, -- seq of the change that wrote it
	at      INTEGER NOT NULL,
	payload TEXT    NOT NULL,
	PRIMARY KEY (kind, key)
) STRICT;

CREATE UNIQUE INDEX records_name ON records (kind, project, name) WHERE name <> '';
CREATE INDEX records_project ON records (kind, project, key) WHERE project <> '';
CREATE INDEX records_parent ON records (kind, parent, key) WHERE parent <> '';

-- One row per write of a record, kept for a while. AUTOINCREMENT: numbers are
-- not given out again, even when every row has been purged.
CREATE TABLE changes (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	at      INTEGER NOT NULL,
	kind    TEXT    NOT NULL,
	key     TEXT    NOT NULL,
	project TEXT    NOT NULL,
	name    TEXT    NOT NULL,
	parent  TEXT    NOT NULL,
	state   TEXT    NOT NULL,
	deleted INTEGER NOT NULL,
	payload TEXT    NOT NULL
) STRICT;
