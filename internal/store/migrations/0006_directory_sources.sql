-- +goose Up
-- The moment before which all of a user's sign-ins were ended at the tenant.
ALTER TABLE directory_users ADD COLUMN sign_ins_from BIGINT NOT NULL DEFAULT 0;

-- Whom a source beside that of the records has disabled.
CREATE TABLE directory_blocks (
	tenant TEXT NOT NULL,
	object TEXT NOT NULL,
	PRIMARY KEY (tenant, object)
);
