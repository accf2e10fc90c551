-- +goose Up
-- What was revoked of the tokens that were minted for audiences, until it would have ended by itself: single tokens, and
-- rights to mint with all that was got by them.
CREATE TABLE revoked_tokens (
	id    TEXT PRIMARY KEY,
	until BIGINT NOT NULL
);
