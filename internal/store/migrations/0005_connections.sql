-- +goose Up
-- People's connections to Git hosts. sealed: the tokens, under the installation's encryption key. Times as in 0001.
CREATE TABLE connections (
	tenant  TEXT NOT NULL,
	object  TEXT NOT NULL,
	app     TEXT NOT NULL,
	login   TEXT NOT NULL,
	account TEXT NOT NULL,
	sealed  BYTEA NOT NULL,
	made    BIGINT NOT NULL,
	renewed BIGINT NOT NULL,
	ends    BIGINT NOT NULL,
	broken  TEXT NOT NULL,
	version BIGINT NOT NULL,
	PRIMARY KEY (tenant, object, app)
);
