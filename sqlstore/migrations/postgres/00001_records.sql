-- +goose Up
-- One row: what is true of the whole database.
CREATE TABLE openecp.store (
	one      BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
	seq      BIGINT  NOT NULL, -- number of the last change; whoever writes locks the row
	mark     TEXT    NOT NULL, -- which state of the database the numbers are of: system, timeline, table
	platform TEXT    NOT NULL, -- what the clusters are made on; '' = not said
	needs    INTEGER NOT NULL, -- the version of the tables that a program must know to work on them
	holder   TEXT    NOT NULL, -- the process that works on it; '' = none
	host     TEXT    NOT NULL, -- of the holder
	since    TIMESTAMPTZ NOT NULL,
	renewed  TIMESTAMPTZ NOT NULL -- by the database's clock
) WITH (fillfactor = 10);
INSERT INTO openecp.store (seq, mark, platform, needs, holder, host, since, renewed)
	VALUES (0, '', '', 1, '', '', now(), now());

-- One row per record. The payload is JSON; the other columns repeat what records
-- are found by. at is nanoseconds since 1970, UTC. Keys are in the order of their bytes.
CREATE TABLE openecp.records (
	kind    TEXT   COLLATE "C" NOT NULL,
	key     TEXT   COLLATE "C" NOT NULL,
	project TEXT   COLLATE "C" NOT NULL,
	name    TEXT   COLLATE "C" NOT NULL,
	parent  TEXT   COLLATE "C" NOT NULL,
	state   TEXT   COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, -- seq of the change that wrote it
	at      BIGINT NOT NULL,
	payload TEXT   NOT NULL,
	PRIMARY KEY (kind, key)
);

CREATE UNIQUE INDEX records_name ON openecp.records (kind, project, name) WHERE name <> '';
CREATE INDEX records_project ON openecp.records (kind, project, key) WHERE project <> '';
CREATE INDEX records_parent ON openecp.records (kind, parent, key) WHERE parent <> '';

-- One row per write of a record, kept for a while.
CREATE TABLE openecp.changes (
	seq     BIGINT  PRIMARY KEY,
	at      BIGINT  NOT NULL,
	kind    TEXT    NOT NULL,
	key     TEXT    NOT NULL,
	project TEXT    NOT NULL,
	name    TEXT    NOT NULL,
	parent  TEXT    NOT NULL,
	state   TEXT    NOT NULL,
	deleted BOOLEAN NOT NULL,
	payload TEXT    NOT NULL
);
