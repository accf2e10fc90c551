-- +goose Up
-- Whose snapshots the files of one came through, as JSON.
ALTER TABLE snapshots ADD COLUMN origins TEXT NOT NULL DEFAULT 'null';
-- When a prebuild's turn came, 0 before.
ALTER TABLE prebuilds ADD COLUMN started BIGINT NOT NULL DEFAULT 0;
