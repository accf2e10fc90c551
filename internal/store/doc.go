// Package store keeps Lanyard's rows in SQLite or PostgreSQL: one text of queries for both, in files by topic.
//
// Every change writes its rows, one feed entry and its audit events in one transaction. The transaction updates the
// feed's head row, so a second writer waits for the first one's commit and the order of numbers is the order of
// commits. When a method that changes something returns nil, the change is durable. When it returns an error it has
// changed nothing, except that a connection lost during the commit leaves the outcome open; rows are written so that
// doing the same change again is harmless.
//
// Errors carry the kinds of package problem: Unavailable when the database fails, Conflict when a row that may exist
// only once exists already.
package store
