-- +goose Up
-- Kept copies of checkouts; each one's file is in the data folder node. Times as in 0001.
CREATE TABLE snapshots (
	id          TEXT PRIMARY KEY,
	tenant      TEXT NOT NULL,
	object      TEXT NOT NULL,
	owner_name  TEXT NOT NULL,
	workspace   TEXT NOT NULL,
	project     TEXT NOT NULL,
	repository  TEXT NOT NULL,
	ref         TEXT NOT NULL,
	name        TEXT NOT NULL,
	head        TEXT NOT NULL,
	dirty       BOOLEAN NOT NULL,
	branch      TEXT NOT NULL,
	note        TEXT NOT NULL,
	size        BIGINT NOT NULL,
	digest      TEXT NOT NULL,
	created     BIGINT NOT NULL,
	expires     BIGINT NOT NULL,
	node        TEXT NOT NULL
);
