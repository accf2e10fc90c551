-- +goose Up
-- What tells one sign-in from another, for the person, for signing out, and for joining the tenant's own log.
ALTER TABLE sign_ins ADD COLUMN token_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sign_ins ADD COLUMN hint TEXT NOT NULL DEFAULT '';
ALTER TABLE sign_ins ADD COLUMN guest BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sign_ins ADD COLUMN ip TEXT NOT NULL DEFAULT '';
ALTER TABLE sign_ins ADD COLUMN agent TEXT NOT NULL DEFAULT '';
