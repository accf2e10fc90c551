-- +goose Up
-- An event is written once, under its number: audit_pending_head counts them, and is locked by every writer until its
-- commit, so the order of numbers is the order of commits. leaf is the event's exact bytes, which the tree's hashes
-- are of; personal values stand in it as salted commitments only. clear holds those values with their salts; it may be
-- erased (then erased is the position of the event that says so), and the leaf still fits the tree.
CREATE TABLE audit_entries (
	seq    BIGINT PRIMARY KEY,
	leaf   BYTEA NOT NULL,
	clear  BYTEA,
	erased BIGINT NOT NULL DEFAULT -1
);

-- What events are found by; it follows audit_entries. Values are hashes of 64 bits, 0 for "none".
CREATE TABLE audit_index (
	seq       BIGINT PRIMARY KEY,
	at        BIGINT NOT NULL,
	action    BIGINT NOT NULL,
	outcome   BIGINT NOT NULL,
	person    BIGINT NOT NULL,
	session   BIGINT NOT NULL,
	workspace BIGINT NOT NULL,
	project   BIGINT NOT NULL,
	resource  BIGINT NOT NULL
);
CREATE INDEX audit_index_at ON audit_index (at, seq);
CREATE INDEX audit_index_action ON audit_index (action, at, seq);
CREATE INDEX audit_index_outcome ON audit_index (outcome, at, seq);
CREATE INDEX audit_index_person ON audit_index (person, at, seq) WHERE person <> 0;
CREATE INDEX audit_index_session ON audit_index (session, at, seq) WHERE session <> 0;
CREATE INDEX audit_index_workspace ON audit_index (workspace, at, seq) WHERE workspace <> 0;
CREATE INDEX audit_index_project ON audit_index (project, at, seq) WHERE project <> 0;
CREATE INDEX audit_index_resource ON audit_index (resource, at, seq) WHERE resource <> 0;

-- How far who follows the log has come: the index, and each receiver of exports. The next position to take.
CREATE TABLE audit_positions (
	name     TEXT PRIMARY KEY,
	position BIGINT NOT NULL
);
INSERT INTO audit_positions (name, position) VALUES ('index', 0);

-- Signed statements that the events before a position were removed because of their age.
CREATE TABLE audit_prunings (
	size BIGINT PRIMARY KEY,
	note BYTEA NOT NULL
);
