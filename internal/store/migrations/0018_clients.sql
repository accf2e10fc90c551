-- +goose Up
-- Sessions of OAuth clients, and the refresh tokens by which they go on: one that was used is kept until its session's end,
-- so that its second use is known for what it is.
ALTER TABLE sessions ADD COLUMN client TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN bound_to TEXT NOT NULL DEFAULT '';
CREATE TABLE refresh_tokens (
	hash    BYTEA PRIMARY KEY,
	session TEXT NOT NULL,
	scope   TEXT NOT NULL,
	expires BIGINT NOT NULL,
	used    BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_of ON refresh_tokens (session);
