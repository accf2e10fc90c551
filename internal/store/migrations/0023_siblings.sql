-- +goose Up
-- What stands beside workspaces: the AI agents that run there, and those whose work could not be handed back yet.
CREATE TABLE siblings (
	id         TEXT PRIMARY KEY,
	workspace  TEXT NOT NULL,
	tenant     TEXT NOT NULL,
	object     TEXT NOT NULL,
	session    TEXT NOT NULL,
	agent      TEXT NOT NULL,
	delegation TEXT NOT NULL,
	shared     BOOLEAN NOT NULL,
	base       TEXT NOT NULL,
	branch     TEXT NOT NULL,
	kept       TEXT NOT NULL,
	created    BIGINT NOT NULL,
	node       TEXT NOT NULL
);
