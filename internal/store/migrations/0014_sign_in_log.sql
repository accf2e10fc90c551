-- +goose Up
-- The ID that Lanyard gave an attempt to sign in, which the tenant writes into its own log.
ALTER TABLE sign_ins ADD COLUMN correlation TEXT NOT NULL DEFAULT '';

-- How people signed in and stepped up in the last months, kept when their sessions are gone. id: the correlation ID, or a
-- sign-in's where nothing is remembered of how it began. kind: sign-in, step-up or unbegun. logged: the entry of the
-- tenant's log that belongs to it, logged_by: by what that was seen. flagged: when it was reported, 0 while it was not.
CREATE TABLE remembered_sign_ins (
	id             TEXT PRIMARY KEY,
	kind           TEXT NOT NULL,
	tenant         TEXT NOT NULL,
	object         TEXT NOT NULL,
	name           TEXT NOT NULL,
	at             BIGINT NOT NULL,
	proved         BIGINT NOT NULL,
	strength       TEXT NOT NULL,
	contexts       TEXT NOT NULL,
	guest          BOOLEAN NOT NULL,
	ip             TEXT NOT NULL,
	network        TEXT NOT NULL,
	device         TEXT NOT NULL,
	tenant_session TEXT NOT NULL,
	token_id       TEXT NOT NULL,
	new_place      BOOLEAN NOT NULL,
	new_device     BOOLEAN NOT NULL,
	known          BOOLEAN NOT NULL,
	logged         TEXT NOT NULL,
	logged_by      TEXT NOT NULL,
	flagged        BIGINT NOT NULL
);
CREATE INDEX remembered_sign_ins_of ON remembered_sign_ins (object, at);
CREATE INDEX remembered_sign_ins_at ON remembered_sign_ins (at);
CREATE INDEX remembered_sign_ins_token ON remembered_sign_ins (token_id);
CREATE INDEX remembered_sign_ins_open ON remembered_sign_ins (at) WHERE logged_by = '' AND flagged = 0;

-- What the tenant's log says of sign-ins to Lanyard's app registration. code: AADSTS, 0 for success. joined: the
-- remembered sign-in that it belongs to, joined_by: by what that was seen. strength: what policies demanded and got, joined
-- by commas.
CREATE TABLE logged_sign_ins (
	id          TEXT PRIMARY KEY,
	at          BIGINT NOT NULL,
	tenant      TEXT NOT NULL,
	object      TEXT NOT NULL,
	name        TEXT NOT NULL,
	user_name   TEXT NOT NULL,
	ip          TEXT NOT NULL,
	place       TEXT NOT NULL,
	device      TEXT NOT NULL,
	strength    TEXT NOT NULL,
	correlation TEXT NOT NULL,
	token_id    TEXT NOT NULL,
	code        BIGINT NOT NULL,
	failure     TEXT NOT NULL,
	joined      TEXT NOT NULL,
	joined_by   TEXT NOT NULL,
	flagged     BIGINT NOT NULL
);
CREATE INDEX logged_sign_ins_at ON logged_sign_ins (at);
CREATE INDEX logged_sign_ins_open ON logged_sign_ins (at) WHERE joined = '' AND flagged = 0 AND code = 0;

-- What was used of what gives access. kind: group (id is its object ID, which gives role in project) or grant.
CREATE TABLE rights_used (
	kind      TEXT NOT NULL,
	project   TEXT NOT NULL,
	role      TEXT NOT NULL,
	id        TEXT NOT NULL,
	last_used BIGINT NOT NULL,
	times     BIGINT NOT NULL,
	PRIMARY KEY (kind, project, role, id)
);

-- How far the reading of the tenant's log and the counting of uses are.
CREATE TABLE review_state (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
);
