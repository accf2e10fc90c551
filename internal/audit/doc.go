// Package audit is the log of who did what. It is a Merkle tree (RFC 6962, by golang.org/x/mod/sumdb/tlog): every
// event is a leaf, and whoever holds a signed checkpoint (C2SP tlog-checkpoint) can later tell whether the log still
// begins with exactly the events that it had then.
//
// An event's way in has two steps. First it is inserted as pending: in the transaction that it records, by Durable
// (which waits), or by Later (which does not). A pending event is durable but has no number. Then one process, the
// leader, takes pending events in the order in which they were committed, numbers them, hashes their exact bytes, and
// stores leaves, tree hashes and a signed checkpoint in one transaction that also removes the pending rows. That
// transaction checks the leader's term, so a leader that was replaced changes nothing. A crash at any point leaves
// each event either pending or in the log.
//
// What the tree can prove depends on where checkpoints are kept. A database's own checkpoints prove that nothing
// inside the log was changed, dropped or swapped by someone without the signing key; that nothing was cut off its end,
// together with the checkpoints that would tell, only a checkpoint kept elsewhere can prove. Config.Copies names files
// for that.
package audit
