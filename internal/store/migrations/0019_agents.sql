-- +goose Up
-- Sessions of AI agents: the agent's name, and the grant that says which part of its user's rights it has.
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN delegation TEXT NOT NULL DEFAULT '';
