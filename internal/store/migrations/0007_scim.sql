-- +goose Up
-- What the tenant's provisioning service has told (SCIM 2.0). Times as in 0001.

-- The row is the lock under which resources are written: one writer at a time sees all that came before.
CREATE TABLE scim_state (
	id     BIGINT PRIMARY KEY CHECK (id = 1),
	writes BIGINT NOT NULL
);
INSERT INTO scim_state (id, writes) VALUES (1, 0);

-- kind: User or Group. external_id is the client's own string; object is the same in lower case where it is a GUID, and
-- empty elsewhere. name is the userName or displayName, name_key is in lower case. roles: a JSON array.
-- body: the resource as JSON without id, meta and members.
CREATE TABLE scim_resources (
	id          TEXT PRIMARY KEY,
	kind        TEXT NOT NULL,
	external_id TEXT NOT NULL,
	object      TEXT NOT NULL,
	name        TEXT NOT NULL,
	name_key    TEXT NOT NULL,
	display     TEXT NOT NULL,
	mail        TEXT NOT NULL,
	active      BOOLEAN NOT NULL,
	roles       TEXT NOT NULL,
	body        BYTEA NOT NULL,
	version     BIGINT NOT NULL,
	created     BIGINT NOT NULL,
	changed     BIGINT NOT NULL
);
CREATE INDEX scim_resources_kind ON scim_resources (kind, id);
CREATE INDEX scim_resources_external ON scim_resources (external_id, kind, id);
CREATE INDEX scim_resources_object ON scim_resources (object, kind, id);
CREATE INDEX scim_resources_name ON scim_resources (name_key, kind, id);

-- All addresses of users, in lower case.
CREATE TABLE scim_mails (
	id       TEXT NOT NULL,
	mail_key TEXT NOT NULL,
	PRIMARY KEY (id, mail_key)
);
CREATE INDEX scim_mails_key ON scim_mails (mail_key);

CREATE TABLE scim_members (
	group_id  TEXT NOT NULL,
	member_id TEXT NOT NULL,
	PRIMARY KEY (group_id, member_id)
);
CREATE INDEX scim_members_of ON scim_members (member_id);

-- Users that were deleted. They stay disabled until they are provisioned again, or the tenant has them no more.
CREATE TABLE scim_gone (
	object TEXT PRIMARY KEY,
	at     BIGINT NOT NULL
);

-- kind: bearer (the secret is sent with each request) or client (it is exchanged for short-lived tokens).
CREATE TABLE scim_credentials (
	id      TEXT PRIMARY KEY,
	name    TEXT NOT NULL,
	kind    TEXT NOT NULL,
	hash    BYTEA NOT NULL,
	made    BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	revoked BIGINT NOT NULL
);

-- When a credential was last used, to the minute.
CREATE TABLE scim_uses (
	credential TEXT PRIMARY KEY,
	used       BIGINT NOT NULL,
	ip         TEXT NOT NULL
);
