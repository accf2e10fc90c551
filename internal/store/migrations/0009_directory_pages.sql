-- +goose Up
-- Readings of a whole tenant that are under way, by name, so that an interrupted one goes on where it was.
CREATE TABLE directory_pages (
	reading TEXT NOT NULL,
	number  BIGINT NOT NULL,
	asked   BIGINT NOT NULL,
	next    TEXT NOT NULL,
	body    BYTEA NOT NULL,
	PRIMARY KEY (reading, number)
);
