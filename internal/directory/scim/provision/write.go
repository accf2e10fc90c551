package provision

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

// EventWrite is the audit action of every change by a provisioning service.
const EventWrite = "scim:write"

const namesAtMost = 50

// write runs a change and waits for its effect.
func (s *Service) write(ctx context.Context, f func(context.Context, Tx) (Written, error)) error {
	var keys []string
	_, err := s.c.Rows.WriteSCIM(ctx, func(ctx context.Context, tx Tx) (Written, error) {
		w, err := f(ctx, tx)
		slices.Sort(w.Keys)
		w.Keys = slices.Compact(w.Keys)
		keys = w.Keys
		return w, err
	})
	if err != nil {
		return err
	}
	s.settle(ctx, keys)
	return nil
}

// newID makes an ID in the order of time, so that lists are in the order of making: UUIDs of version 7, with the part of the
// millisecond in their next twelve bits (RFC 9562 §5.7, §6.2 method 3).
func newID(now time.Time) string {
	var b [16]byte
	rand.Read(b[8:])
	milli, part := uint64(now.UnixMilli()), uint64(now.Nanosecond()%1e6)*4096/1e6
	binary.BigEndian.PutUint64(b[:], milli<<16|0x7000|part)
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// unique refuses a second resource for the same person or group.
func unique(ctx context.Context, tx Tx, r Row) error {
	taken := func(by Match, what string) error {
		found, err := tx.Find(ctx, r.Kind, by)
		if err != nil {
			return err
		}
		for _, other := range found {
			// Two groups may have the same name; their externalIds tell them apart.
			if other.ID == r.ID || by.Column == ByName && r.Kind == GroupKind && other.External != "" && r.External != "" {
				continue
			}
			return &scimError{status: http.StatusConflict, kind: "uniqueness", detail: fmt.Sprintf("There is a %s with this %s already.", r.Kind, what)}
		}
		return nil
	}
	if err := taken(Match{ByName, r.NameKey}, nameOf(r.Kind)); err != nil {
		return err
	}
	if r.Object != "" {
		return taken(Match{ByObject, r.Object}, "externalId")
	}
	if r.External != "" {
		return taken(Match{ByExternal, r.External}, "externalId")
	}
	return nil
}

// keysOf names whom the directory has to look at again when old became new. Either may be zero.
func (s *Service) keysOf(old, new Row) (keys []string) {
	kind := max(old.Kind, new.Kind)
	same := old.Object == new.Object && old.Active == new.Active
	if s.c.Members {
		same = same && old.Name == new.Name && old.Display == new.Display && old.Mail == new.Mail && slices.Equal(old.Roles, new.Roles)
	} else if kind == GroupKind {
		return nil
	}
	if same && old.ID == new.ID {
		return nil
	}
	prefix := userKey
	if kind == GroupKind {
		prefix = groupKey
	}
	for _, r := range []Row{old, new} {
		if r.Object != "" {
			keys = append(keys, prefix+r.Object)
		}
	}
	return keys
}

// event tells a change.
func (s *Service) event(who caller, change string, r Row, detail map[string]any) audit.Event {
	if detail == nil {
		detail = map[string]any{}
	}
	detail["change"], detail["credential"], detail["credential_name"] = change, who.credential, who.name
	detail["name"], detail["id"] = r.Name, r.ID
	e := audit.Event{Time: s.c.Now(), Action: EventWrite, Outcome: audit.Done, Actor: actor, IP: who.ip,
		Resource: "provisioned " + strings.ToLower(string(r.Kind)) + " " + r.ID, Detail: detail}
	if r.External != "" {
		detail["external_id"] = r.External
	}
	if r.Kind == UserKind && r.Object != "" {
		e.User = audit.PersonOf(s.user(r.Object), r.Name)
	}
	return e
}

// changeOfRow names what is different in a resource.
func changeOfRow(old, new Row) string {
	switch {
	case old.Active && !new.Active:
		return "disabled"
	case !old.Active && new.Active:
		return "enabled"
	case old.External != new.External:
		return "externalId changed"
	}
	return "changed"
}

func listed(detail map[string]any, key string, names []string) {
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	detail[key] = names[:min(len(names), namesAtMost)]
	if len(names) > namesAtMost {
		detail[key+"_count"] = len(names)
	}
}
