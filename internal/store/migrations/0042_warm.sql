-- +goose Up
-- Workspaces that were made ahead and belong to nobody: what is left of them when a server has died is found by this.
CREATE TABLE warm_workspaces (
	id      TEXT PRIMARY KEY,
	project TEXT NOT NULL,
	class   TEXT NOT NULL,
	created BIGINT NOT NULL,
	node    TEXT NOT NULL
);
