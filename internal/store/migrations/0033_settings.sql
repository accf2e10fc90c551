-- +goose Up
-- What people set for workspaces. A variable is a user's (tenant, object) or a project's; repository narrows it to workspaces on
-- that one. A secret one has sealed, under the installation's encryption key, and no value. Times as in 0001.
CREATE TABLE variables (
	tenant     TEXT NOT NULL,
	object     TEXT NOT NULL,
	project    TEXT NOT NULL,
	repository TEXT NOT NULL,
	name       TEXT NOT NULL,
	value      TEXT NOT NULL,
	sealed     BYTEA NOT NULL,
	secret     BOOLEAN NOT NULL,
	set_by     TEXT NOT NULL,
	changed    BIGINT NOT NULL,
	PRIMARY KEY (tenant, object, project, repository, name)
);

CREATE TABLE preferences (
	tenant   TEXT NOT NULL,
	object   TEXT NOT NULL,
	dotfiles TEXT NOT NULL,
	PRIMARY KEY (tenant, object)
);
