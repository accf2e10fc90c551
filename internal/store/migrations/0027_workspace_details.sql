-- +goose Up
-- What is remembered of a workspace beside its state (workspace.Details, JSON): class, image, context, how long it is kept.
ALTER TABLE workspaces ADD COLUMN details TEXT NOT NULL DEFAULT '{}';
