-- +goose Up
-- Requests for access, and grants: approvals, delegations to AI agents, break-glass roles. Times as in 0001; durations in microseconds.

-- decision: pending, approved, refused or withdrawn. An approval's grant has the request's ID.
CREATE TABLE grant_requests (
	id               TEXT PRIMARY KEY,
	tenant           TEXT NOT NULL,
	object           TEXT NOT NULL,
	action           TEXT NOT NULL,
	resource_kind    TEXT NOT NULL,
	resource_name    TEXT NOT NULL,
	resource_project TEXT NOT NULL,
	owner_tenant     TEXT NOT NULL,
	owner_object     TEXT NOT NULL,
	group_tenant     TEXT NOT NULL,
	group_object     TEXT NOT NULL,
	why              TEXT NOT NULL,
	wanted           BIGINT NOT NULL,
	asked            BIGINT NOT NULL,
	expires          BIGINT NOT NULL,
	decision         TEXT NOT NULL,
	by_tenant        TEXT NOT NULL,
	by_object        TEXT NOT NULL,
	decided          BIGINT NOT NULL,
	words            TEXT NOT NULL,
	given            BIGINT NOT NULL
);
CREATE INDEX grant_requests_asked ON grant_requests (asked);

-- allowed: a JSON array of {"action","kind","name","project"}. kind: approval, delegation or break-glass.
CREATE TABLE grants (
	id           TEXT PRIMARY KEY,
	kind         TEXT NOT NULL,
	tenant       TEXT NOT NULL,
	object       TEXT NOT NULL,
	allowed      TEXT NOT NULL,
	group_tenant TEXT NOT NULL,
	group_object TEXT NOT NULL,
	agent        TEXT NOT NULL,
	session      TEXT NOT NULL,
	project      TEXT NOT NULL,
	role         TEXT NOT NULL,
	why          TEXT NOT NULL,
	by_tenant    TEXT NOT NULL,
	by_object    TEXT NOT NULL,
	from_time    BIGINT NOT NULL,
	until_time   BIGINT NOT NULL,
	ended        BIGINT NOT NULL,
	ended_why    TEXT NOT NULL
);
CREATE INDEX grants_until ON grants (until_time);
