-- +goose Up
-- Checkouts that were made ready ahead; the file of each one that is done is in the data folder node. Times as in 0001, 0 for none.
CREATE TABLE prebuilds (
	id          TEXT PRIMARY KEY,
	project     TEXT NOT NULL,
	repository  TEXT NOT NULL,
	ref         TEXT NOT NULL,
	head        TEXT NOT NULL,
	cause       TEXT NOT NULL,
	state       TEXT NOT NULL,
	message     TEXT NOT NULL,
	log         TEXT NOT NULL,
	workspace   TEXT NOT NULL,
	size        BIGINT NOT NULL,
	digest      TEXT NOT NULL,
	created     BIGINT NOT NULL,
	ended       BIGINT NOT NULL,
	expires     BIGINT NOT NULL,
	node        TEXT NOT NULL
);
