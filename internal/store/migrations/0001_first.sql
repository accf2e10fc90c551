-- +goose Up
-- One text for SQLite and PostgreSQL. Times are microseconds since 1970 in UTC, 0 for "none".

-- The head row is locked by every change, which makes the order of numbers the order of commits.
CREATE TABLE feed_head (
	id  BIGINT PRIMARY KEY CHECK (id = 1),
	seq BIGINT NOT NULL
);
INSERT INTO feed_head (id, seq) VALUES (1, 0);

CREATE TABLE feed (
	seq    BIGINT PRIMARY KEY,
	at     BIGINT NOT NULL,
	origin TEXT NOT NULL,
	topic  TEXT NOT NULL,
	keys   TEXT NOT NULL
);

-- directory_state is also the lock under which a directory is written.
CREATE TABLE directory_state (
	id    BIGINT PRIMARY KEY CHECK (id = 1),
	as_of BIGINT NOT NULL
);
INSERT INTO directory_state (id, as_of) VALUES (1, 0);

CREATE TABLE directory_cursors (
	name   TEXT PRIMARY KEY,
	cursor TEXT NOT NULL
);

CREATE TABLE directory_users (
	tenant    TEXT NOT NULL,
	object    TEXT NOT NULL,
	name      TEXT NOT NULL,
	user_name TEXT NOT NULL,
	mail      TEXT NOT NULL,
	enabled   BOOLEAN NOT NULL,
	PRIMARY KEY (tenant, object)
);

CREATE TABLE directory_groups (
	tenant   TEXT NOT NULL,
	object   TEXT NOT NULL,
	name     TEXT NOT NULL,
	security BOOLEAN NOT NULL,
	assigned BOOLEAN NOT NULL,
	PRIMARY KEY (tenant, object)
);

-- member_kind: 1 a user, 2 a group.
CREATE TABLE directory_members (
	group_tenant  TEXT NOT NULL,
	group_object  TEXT NOT NULL,
	member_kind   BIGINT NOT NULL,
	member_tenant TEXT NOT NULL,
	member_object TEXT NOT NULL,
	PRIMARY KEY (group_tenant, group_object, member_kind, member_tenant, member_object)
);
CREATE INDEX directory_members_of ON directory_members (member_kind, member_tenant, member_object);

CREATE TABLE sign_ins (
	id             TEXT PRIMARY KEY,
	tenant         TEXT NOT NULL,
	object         TEXT NOT NULL,
	name           TEXT NOT NULL,
	at             BIGINT NOT NULL,
	expires        BIGINT NOT NULL,
	strength       TEXT NOT NULL,
	contexts       TEXT NOT NULL,
	tenant_session TEXT NOT NULL,
	refresh        BYTEA NOT NULL,
	ended          BIGINT NOT NULL,
	ended_why      TEXT NOT NULL
);

CREATE TABLE sessions (
	id        TEXT PRIMARY KEY,
	sign_in   TEXT NOT NULL,
	parent    TEXT NOT NULL,
	tenant    TEXT NOT NULL,
	object    TEXT NOT NULL,
	kind      TEXT NOT NULL,
	secret    BYTEA NOT NULL,
	site      TEXT NOT NULL,
	workspace TEXT NOT NULL,
	project   TEXT NOT NULL,
	created   BIGINT NOT NULL,
	expires   BIGINT NOT NULL,
	used      BIGINT NOT NULL,
	ended     BIGINT NOT NULL,
	ended_why TEXT NOT NULL
);

CREATE TABLE once (
	kind    TEXT NOT NULL,
	hash    BYTEA NOT NULL,
	body    BYTEA NOT NULL,
	expires BIGINT NOT NULL,
	PRIMARY KEY (kind, hash)
);
CREATE INDEX once_expires ON once (expires);

CREATE TABLE project_revisions (
	number   BIGINT PRIMARY KEY,
	at       BIGINT NOT NULL,
	projects TEXT NOT NULL,
	policies TEXT NOT NULL
);

CREATE TABLE project_names (
	name TEXT PRIMARY KEY,
	id   TEXT NOT NULL UNIQUE
);

CREATE TABLE project_pins (
	name   TEXT PRIMARY KEY,
	tenant TEXT NOT NULL,
	object TEXT NOT NULL
);

CREATE TABLE workspaces (
	id         TEXT PRIMARY KEY,
	tenant     TEXT NOT NULL,
	object     TEXT NOT NULL,
	owner_name TEXT NOT NULL,
	project    TEXT NOT NULL,
	repository TEXT NOT NULL,
	ref        TEXT NOT NULL,
	name       TEXT NOT NULL,
	session    TEXT NOT NULL,
	desired    TEXT NOT NULL,
	phase      TEXT NOT NULL,
	message    TEXT NOT NULL,
	created    BIGINT NOT NULL,
	changed    BIGINT NOT NULL
);

-- Private keys, sealed under the installation's encryption key.
CREATE TABLE keys (
	id      TEXT PRIMARY KEY,
	kind    TEXT NOT NULL,
	sealed  BYTEA NOT NULL,
	created BIGINT NOT NULL,
	retired BIGINT NOT NULL
);

-- What the audit log must still take in, numbered in the order of commits. The head row is locked by every writer.
CREATE TABLE audit_pending_head (
	id  BIGINT PRIMARY KEY CHECK (id = 1),
	num BIGINT NOT NULL
);
INSERT INTO audit_pending_head (id, num) VALUES (1, 0);

CREATE TABLE audit_pending (
	num  BIGINT PRIMARY KEY,
	body BYTEA NOT NULL
);

-- Which process turns pending events into leaves; every such transaction checks the term.
CREATE TABLE audit_leader (
	id     BIGINT PRIMARY KEY CHECK (id = 1),
	term   BIGINT NOT NULL,
	holder TEXT NOT NULL
);
INSERT INTO audit_leader (id, term, holder) VALUES (1, 0, '');

-- body is the event's exact bytes, the leaf; the other columns are for finding it and must say what the body says.
CREATE TABLE audit_events (
	seq       BIGINT PRIMARY KEY,
	at        BIGINT NOT NULL,
	action    TEXT NOT NULL,
	person    TEXT NOT NULL,
	workspace TEXT NOT NULL,
	body      BYTEA NOT NULL
);
CREATE INDEX audit_events_person ON audit_events (person, seq);
CREATE INDEX audit_events_workspace ON audit_events (workspace, seq);
CREATE INDEX audit_events_action ON audit_events (action, seq);

-- The tree's hashes by their stored-hash index (golang.org/x/mod/sumdb/tlog).
CREATE TABLE audit_hashes (
	idx  BIGINT PRIMARY KEY,
	hash BYTEA NOT NULL
);

CREATE TABLE audit_checkpoints (
	size BIGINT PRIMARY KEY,
	note BYTEA NOT NULL
);
