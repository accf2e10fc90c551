-- +goose Up
-- People's own credentials for registries of images: sealed under the installation's encryption key. used is 0 until it first
-- opened an image. Times as in 0001.
CREATE TABLE registry_logins (
	tenant   TEXT NOT NULL,
	object   TEXT NOT NULL,
	host     TEXT NOT NULL,
	username TEXT NOT NULL,
	sealed   BYTEA NOT NULL,
	changed  BIGINT NOT NULL,
	used     BIGINT NOT NULL,
	PRIMARY KEY (tenant, object, host)
);
