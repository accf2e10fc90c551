-- +goose Up
-- What a group contains directly, packed: many members are a row, so that a large directory is written and read in a
-- fraction of the time that a row each would take. A group's rows share a level L; part is L times 2^32 and a number below
-- 2^L, the first bits of the members' hashes.
CREATE TABLE directory_sets (
	tenant  TEXT NOT NULL,
	object  TEXT NOT NULL,
	part    BIGINT NOT NULL,
	members BYTEA NOT NULL,
	PRIMARY KEY (tenant, object, part)
);
