-- +goose Up
-- kind step-up: the authentication context, the sign-in it was made for, and the workspace, if it was for one.
ALTER TABLE grants ADD COLUMN context TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN sign_in TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN workspace TEXT NOT NULL DEFAULT '';
