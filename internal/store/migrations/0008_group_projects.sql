-- +goose Up
-- Projects that are made of the names of groups. Their groups are pinned by object ID, for each role one.

CREATE TABLE group_projects (
	id         TEXT PRIMARY KEY,
	name       TEXT NOT NULL UNIQUE,
	closed     BIGINT NOT NULL,
	closed_why TEXT NOT NULL
);

CREATE TABLE group_project_groups (
	project TEXT NOT NULL,
	role    TEXT NOT NULL,
	tenant  TEXT NOT NULL,
	object  TEXT NOT NULL,
	PRIMARY KEY (project, role)
);
