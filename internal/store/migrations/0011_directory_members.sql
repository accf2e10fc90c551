-- +goose Up
-- What somebody leaves by being gone is named by the change that says so, so that nothing is looked for by member. With a
-- million memberships this index was half of what it took to write them.
DROP INDEX directory_members_of;
