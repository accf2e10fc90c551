// Package audit is the log of who did what. It is a Merkle tree (RFC 6962, by golang.org/x/mod/sumdb/tlog): every
// event is a leaf, and whoever holds a signed checkpoint (C2SP tlog-checkpoint) can later tell whether the log still
// begins with exactly the events that it had then.
//
// An event is written once: in the transaction that it records, by Durable (which waits), or by Later (which does
// not). That transaction locks the head of the log last and gives the event its number, so numbers are in the order of
// commits and without gaps. Then one process, the leader, hashes the exact bytes of what has no hash yet and stores
// hashes and a signed checkpoint in one transaction, which checks the leader's term: a leader that was replaced changes
// nothing. The leader also files events in an index, sends them to receivers outside, and removes old ones; each of
// these goes on from a stored position. A crash at any point leaves each event in the log, hashed or not yet.
//
// A leaf commits to personal values by salted hashes. The values and salts stand beside it and can be erased.
//
// What the tree can prove depends on where checkpoints are kept. A database's own checkpoints prove that nothing
// inside the log was changed, dropped or swapped by someone without the signing key; that nothing was cut off its end,
// together with the checkpoints that would tell, only a checkpoint kept elsewhere can prove. Config.Copies and
// Config.Remotes name places for that.
package audit
