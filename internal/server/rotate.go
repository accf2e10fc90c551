package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/connection"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/setting"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/token"
)

// signingKinds are the kinds of key that this server signs tokens with.
func signingKinds() []string {
	return []string{token.Assertion, token.API, token.Workload, token.Federation}
}

// How the rotation waits for replicas.
const (
	replicasWithin = time.Minute      // to read their key file again
	silentAfter    = 25 * time.Second // without a beat a replica counts as ended
)

// RotateKeys puts a new encryption key in the place of the one in use, and adds a new key of each kind that signs. It
// may be called again after whatever ended it: each step finds out what is done already, and until the last one
// everything can be read with either key.
func RotateKeys(ctx context.Context, file string, say func(string)) error {
	c, err := config.Read(file)
	if err != nil {
		return err
	}
	rows, err := OpenStore(ctx, c, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer rows.Close()
	r := rotation{path: c.EncryptionKeyFile, rows: rows, say: say}
	if r.keys, err = config.ReadEncryptionKeys(r.path); err != nil {
		return err
	}
	if err := r.encryption(ctx); err != nil {
		return err
	}
	return r.signing(ctx)
}

type rotation struct {
	path string
	keys config.EncryptionKeys
	rows *store.Store
	say  func(string)
}

// encryption: the new key is made known to everybody, then it seals, then everything is sealed under it, then the old
// one goes.
func (r *rotation) encryption(ctx context.Context) error {
	if len(r.keys.Keys) == 1 {
		r.keys = config.EncryptionKeys{Keys: [][]byte{r.keys.Keys[0], token.NewSealingKey()}, Next: true}
		if err := r.keys.Write(r.path); err != nil {
			return err
		}
		r.say(fmt.Sprintf("A new encryption key, %s, is in %s beside the old one.", token.KeyID(r.keys.Keys[1]), r.path))
	}
	if r.keys.Next {
		next := token.KeyID(r.keys.Keys[len(r.keys.Keys)-1])
		if err := r.await(ctx, next, "cannot read it yet", func(p store.Replica) bool { return slices.Contains(p.Reads, next) }); err != nil {
			return err
		}
		last := len(r.keys.Keys) - 1
		r.keys = config.EncryptionKeys{Keys: append([][]byte{r.keys.Keys[last]}, r.keys.Keys[:last]...)}
		if err := r.keys.Write(r.path); err != nil {
			return err
		}
	}
	current := token.KeyID(r.keys.Keys[0])
	if err := r.await(ctx, current, "still encrypts under another one", func(p store.Replica) bool { return p.Seals == current }); err != nil {
		return err
	}
	for {
		n, err := r.reseal(ctx)
		if err != nil {
			return err
		}
		if n == 0 { // nobody seals under the old one any more
			break
		}
		r.say(fmt.Sprintf("%d values are encrypted again.", n))
	}
	return r.retire(ctx)
}

// await waits until every replica that lives is as is says.
func (r *rotation) await(ctx context.Context, id, lacks string, is func(store.Replica) bool) error {
	beats, moved := map[string]int64{}, map[string]time.Time{}
	begun := time.Now()
	for {
		all, err := r.rows.Replicas(ctx)
		if err != nil {
			return err
		}
		var missing []string
		for _, p := range all {
			if at, known := moved[p.ID]; !known || beats[p.ID] != p.Beat {
				beats[p.ID], moved[p.ID] = p.Beat, time.Now()
			} else if time.Since(at) > silentAfter {
				continue
			}
			if !is(p) {
				missing = append(missing, p.Node)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		if time.Since(begun) > replicasWithin {
			return problem.New(problem.Conflict,
				"The encryption key %s is not in use everywhere: the replica of node %s %s. Copy %s to the place of that replica's key file, as it is now, and run this again.",
				id, missing[0], lacks, r.path)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// reseal encrypts everything that is under an older key, and returns how many values that were.
func (r *rotation) reseal(ctx context.Context) (int, error) {
	sealer, err := token.NewSealer(r.keys.Keys...)
	if err != nil {
		return 0, err
	}
	keys, err := r.rows.ResealKeys(ctx, func(k token.Key) ([]byte, bool, error) {
		as := k.Associated()
		if k.Kind == auditKind {
			as = auditKind + " " + k.ID
		}
		return sealer.Reseal(as, k.Sealed)
	})
	if err != nil {
		return keys, fmt.Errorf("encrypt the stored keys again: %w", err)
	}
	tokens, err := r.rows.ResealSignIns(ctx, func(i session.SignIn) ([]byte, bool, error) {
		return sealer.Reseal(signin.RefreshAD(i.User), i.Refresh)
	})
	if err != nil {
		return keys + tokens, fmt.Errorf("encrypt refresh tokens again: %w", err)
	}
	connections, err := r.rows.ResealConnections(ctx, func(c connection.Row) ([]byte, bool, error) {
		return sealer.Reseal(connection.SealedAs(c.User, c.App), c.Sealed)
	})
	if err != nil {
		return keys + tokens + connections, fmt.Errorf("encrypt connections again: %w", err)
	}
	variables, err := r.rows.ResealVariables(ctx, func(v setting.Row) ([]byte, bool, error) {
		return sealer.Reseal(setting.SealedAs(v.Scope, v.Name), v.Sealed)
	})
	if err != nil {
		return keys + tokens + connections + variables, fmt.Errorf("encrypt variables again: %w", err)
	}
	logins, err := r.rows.ResealRegistryLogins(ctx, func(l setting.RegistryLoginRow) ([]byte, bool, error) {
		return sealer.Reseal(setting.RegistrySealedAs(l.Owner, l.Host), l.Sealed)
	})
	if err != nil {
		return keys + tokens + connections + variables + logins, fmt.Errorf("encrypt credentials for registries again: %w", err)
	}
	return keys + tokens + connections + variables + logins, nil
}

// retire takes the old key out of the file; it is kept beside it for backups that were made under it.
func (r *rotation) retire(ctx context.Context) error {
	for _, old := range r.keys.Keys[1:] {
		kept := r.path + "." + token.KeyID(old)
		if err := (config.EncryptionKeys{Keys: [][]byte{old}}).Write(kept); err != nil {
			return err
		}
		r.say(fmt.Sprintf("The old key is in %s: backups made until now need it. Move it to where they are, and away from here.", kept))
		if err := os.Chmod(kept, 0o600); err != nil {
			return err
		}
	}
	r.keys.Keys = r.keys.Keys[:1]
	if err := r.keys.Write(r.path); err != nil {
		return err
	}
	return r.rows.InsertEvents(ctx, []audit.Event{{Time: time.Now(), Action: "keys:rotate", Outcome: audit.Done, Actor: "operator",
		Detail: map[string]any{"encryption_key": token.KeyID(r.keys.Keys[0])}}})
}

// signing adds a key of each kind. Running servers publish it at once and sign with it in a few minutes.
func (r *rotation) signing(ctx context.Context) error {
	sealer, err := token.NewSealer(r.keys.Keys...)
	if err != nil {
		return err
	}
	keys, err := token.Open(ctx, token.Config{Rows: r.rows, Sealer: sealer, Kinds: signingKinds()})
	if err != nil {
		return err
	}
	for _, kind := range signingKinds() {
		if err := keys.Rotate(ctx, kind); err != nil {
			return err
		}
		r.say(fmt.Sprintf("A new key of the kind %s is published; it signs in two minutes, and the old one verifies for a day.", kind))
	}
	return nil
}
