-- +goose Up
-- Several processes on one database, and work that one of them does alone. Clocks of different machines are never
-- compared: who lives moves a number, and who watches measures by its own clock how long the number stands still.

-- Who runs on this database. reads and seals are IDs of encryption keys: those it can open with, and the one it seals with.
CREATE TABLE replicas (
	id      TEXT PRIMARY KEY,
	node    TEXT NOT NULL,
	address TEXT NOT NULL,
	started BIGINT NOT NULL,
	beat    BIGINT NOT NULL,
	seen    BIGINT NOT NULL,
	reads   TEXT NOT NULL,
	seals   TEXT NOT NULL
);

-- Who does a work alone. Every transaction of that work checks that the term is still its own.
CREATE TABLE terms (
	work   TEXT PRIMARY KEY,
	term   BIGINT NOT NULL,
	holder TEXT NOT NULL,
	beat   BIGINT NOT NULL
);

-- The node (data folder) on which a workspace lives.
ALTER TABLE workspaces ADD COLUMN node TEXT NOT NULL DEFAULT '';

-- A session that was made elsewhere is found by its secret; entries that everybody has read are removed by age.
CREATE INDEX sessions_secret ON sessions (secret);
CREATE INDEX feed_at ON feed (at);
