package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// goneAfter is how long a replica that is not heard of still counts as one that may be at work.
const goneAfter = time.Hour

// Replica is one server on this database.
type Replica struct {
	ID      string
	Node    string // its data folder
	Address string // where other replicas reach it; empty: nowhere
	Started time.Time
	Beat    int64     // grows while it lives
	Seen    time.Time // by the clock of the replica that wrote it: for show, and for forgetting
	Reads   []string  // IDs of the encryption keys that it has
	Seals   string    // ID of the one it seals with
}

var replicas = table{name: "replicas", key: []string{"id"}, columns: []string{"id", "node", "address", "started", "beat", "seen", "reads", "seals"},
	merge: map[string]string{"beat": "replicas.beat + 1"}}

// Beat says that a replica lives, and lists all there are.
func (s *Store) Beat(ctx context.Context, r Replica) (all []Replica, err error) {
	reads, err := json.Marshal(r.Reads)
	if err != nil {
		return nil, failed(err, "list the replicas")
	}
	row := []any{r.ID, r.Node, r.Address, micro(r.Started), int64(0), micro(r.Seen), string(reads), r.Seals}
	err = s.inTx(ctx, "list the replicas", func(tx *sql.Tx) error {
		if err := upsertMany(ctx, tx, replicas, [][]any{row}); err != nil {
			return err
		}
		all, err = listReplicas(ctx, tx)
		return err
	})
	return all, err
}

// Replicas lists the servers that are at work, or were within the last hour and did not say that they ended.
func (s *Store) Replicas(ctx context.Context) ([]Replica, error) {
	all, err := listReplicas(ctx, s.read)
	return all, failed(err, "list the replicas")
}

// Leave says that a replica has ended.
func (s *Store) Leave(ctx context.Context, id string) error {
	return s.inTx(ctx, "leave", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM replicas WHERE id = $1`, id)
		return err
	})
}

// LeaveNode removes earlier processes of a data folder that ended without a word: one process has a folder at a time.
func (s *Store) LeaveNode(ctx context.Context, node string) error {
	return s.inTx(ctx, "leave", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM replicas WHERE node = $1`, node)
		return err
	})
}

func listReplicas(ctx context.Context, q querier) ([]Replica, error) {
	return queryAll(ctx, q, func(scan func(...any) error) (r Replica, err error) {
		var started, seen int64
		var reads string
		if err := scan(&r.ID, &r.Node, &r.Address, &started, &r.Beat, &seen, &reads, &r.Seals); err != nil {
			return r, err
		}
		r.Started, r.Seen = fromMicro(started), fromMicro(seen)
		return r, json.Unmarshal([]byte(reads), &r.Reads)
	}, `SELECT id, node, address, started, beat, seen, reads, seals FROM replicas ORDER BY started, id`)
}
