package entra

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// itemsAtMost are the users or groups of one page. Graph sends a few hundred; more is a way to fill our memory.
const itemsAtMost = 50_000

// deltaPage is one page of users/delta or groups/delta. Exactly one of the two links is set.
type deltaPage struct {
	Items     []deltaItem
	NextLink  string
	DeltaLink string
}

// deltaItem is a user or a group. What Graph does not mention stays as it was.
type deltaItem struct {
	ID                string
	DisplayName       field[string]
	UserPrincipalName field[string]
	Mail              field[string]
	AccountEnabled    field[bool]
	SecurityEnabled   field[bool]
	Unified           field[bool]      // groupTypes names a Microsoft 365 group
	SignInsFrom       field[time.Time] // signInSessionsValidFromDateTime
	Created           field[time.Time] // createdDateTime
	Members           []memberItem     // members@delta
	Removed           removal
}

// memberItem is a line of members@delta.
type memberItem struct {
	ID      string
	Kind    memberKind
	Removed bool
}

// memberKind is what @odata.type says of a member.
type memberKind uint8

const (
	unsaid memberKind = iota
	aUser
	aGroup
	another // a device, a contact, a service principal
)

// removal is the reason in @removed: "changed" for what can be restored (soft-deleted), "deleted" for what is gone for good.
type removal uint8

const (
	present removal = iota
	binned
	deleted
)

// field tells a property that is absent from one that is null, which is the zero value.
type field[T any] struct {
	set   bool
	value T
}

// into sets v if the property was mentioned.
func (f field[T]) into(v *T) {
	if f.set {
		*v = f.value
	}
}

// read decodes a page as its bytes arrive. Properties that are not of interest are passed over.
func (p *deltaPage) read(r io.Reader) error {
	p.Items, p.NextLink, p.DeltaLink = p.Items[:0], "", ""
	d := pageDecoder{jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	err := d.object(func(name []byte) (err error) {
		switch string(name) {
		case `"value"`:
			return d.array(func() error {
				if len(p.Items) >= itemsAtMost {
					return fmt.Errorf("more than %d items", itemsAtMost)
				}
				var it deltaItem
				err := d.item(&it)
				p.Items = append(p.Items, it)
				return err
			})
		case `"@odata.nextLink"`:
			p.NextLink, err = d.text()
		case `"@odata.deltaLink"`:
			p.DeltaLink, err = d.text()
		default:
			err = d.SkipValue()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("decode a page: %w", err)
	}
	switch _, err := d.ReadToken(); err { // to the end, so that the connection can be used again
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("decode a page: something follows it")
	default:
		return fmt.Errorf("decode a page: %w", err)
	}
}

type pageDecoder struct{ *jsontext.Decoder }

// object calls member for each name, which it gets quoted and which is valid until it reads on; it must take the value.
func (d pageDecoder) object(member func(name []byte) error) error {
	if open, err := d.opens('{'); !open {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// array calls element for each element, which it must take.
func (d pageDecoder) array(element func() error) error {
	if open, err := d.opens('['); !open {
		return err
	}
	for d.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// opens takes the beginning of an object or array; null stands for one that is empty.
func (d pageDecoder) opens(kind jsontext.Kind) (bool, error) {
	token, err := d.ReadToken()
	if err != nil || token.Kind() == 'n' {
		return false, err
	}
	if token.Kind() != kind {
		return false, fmt.Errorf("%s where %s was expected", token.Kind(), kind)
	}
	return true, nil
}

func (d pageDecoder) item(it *deltaItem) error {
	return d.object(func(name []byte) (err error) {
		switch string(name) {
		case `"id"`:
			it.ID, err = d.id()
		case `"displayName"`:
			err = d.textField(&it.DisplayName)
		case `"userPrincipalName"`:
			err = d.textField(&it.UserPrincipalName)
		case `"mail"`:
			err = d.textField(&it.Mail)
		case `"accountEnabled"`:
			err = d.truthField(&it.AccountEnabled)
		case `"securityEnabled"`:
			err = d.truthField(&it.SecurityEnabled)
		case `"groupTypes"`:
			it.Unified.set = true
			err = d.array(func() error {
				kind, err := d.text()
				it.Unified.value = it.Unified.value || strings.EqualFold(kind, "Unified")
				return err
			})
		case `"signInSessionsValidFromDateTime"`:
			it.SignInsFrom, err = d.moment()
		case `"createdDateTime"`:
			it.Created, err = d.moment()
		case `"members@delta"`:
			err = d.array(func() error {
				var m memberItem
				err := d.member(&m)
				it.Members = append(it.Members, m)
				return err
			})
		case `"@removed"`:
			it.Removed, err = d.removal()
		default:
			err = d.SkipValue()
		}
		return err
	})
}

func (d pageDecoder) member(m *memberItem) error {
	return d.object(func(name []byte) (err error) {
		switch string(name) {
		case `"id"`:
			m.ID, err = d.id()
		case `"@odata.type"`:
			m.Kind, err = d.kind()
		case `"@removed"`:
			var why removal
			why, err = d.removal()
			m.Removed = why != present
		default:
			err = d.SkipValue()
		}
		return err
	})
}

func (d pageDecoder) kind() (memberKind, error) {
	v, err := d.ReadValue()
	switch {
	case err != nil:
		return unsaid, err
	case string(v) == `"#microsoft.graph.user"`:
		return aUser, nil
	case string(v) == `"#microsoft.graph.group"`:
		return aGroup, nil
	case v.Kind() == 'n' || string(v) == `""`:
		return unsaid, nil
	case strings.EqualFold(string(v), `"#microsoft.graph.user"`):
		return aUser, nil
	case strings.EqualFold(string(v), `"#microsoft.graph.group"`):
		return aGroup, nil
	}
	return another, nil
}

// removal reads @removed. A reason that is not known counts as the one that takes more away.
func (d pageDecoder) removal() (removal, error) {
	if d.PeekKind() == 'n' {
		return present, d.SkipValue()
	}
	why := deleted
	err := d.object(func(name []byte) error {
		if string(name) != `"reason"` {
			return d.SkipValue()
		}
		reason, err := d.text()
		if reason == "changed" {
			why = binned
		}
		return err
	})
	return why, err
}

// text reads a string; null is the empty one.
func (d pageDecoder) text() (string, error) {
	v, err := d.ReadValue()
	switch {
	case err != nil || v.Kind() == 'n':
		return "", err
	case v.Kind() != '"':
		return "", fmt.Errorf("%s where a string was expected", v.Kind())
	}
	return unquoted(v)
}

func unquoted(v jsontext.Value) (string, error) {
	inner := v[1 : len(v)-1]
	for _, c := range inner {
		if c == '\\' || c >= 0x80 {
			b, err := jsontext.AppendUnquote(nil, v)
			if err != nil {
				b = []byte(strings.ToValidUTF8(string(b), "\uFFFD")) // a name is for show
			}
			return string(b), nil
		}
	}
	return string(inner), nil
}

// idAtMost is how long an object ID may be, in bytes. Graph's are GUIDs.
const idAtMost = 64

// id reads an object ID, in lower case. What cannot be one, and could not be stored as a key, is empty.
func (d pageDecoder) id() (string, error) {
	id, err := d.text()
	if err != nil {
		return "", err
	}
	return objectID(id), nil
}

func objectID(id string) string {
	if len(id) > idAtMost {
		return ""
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f || c == '/' {
			return ""
		}
	}
	return strings.ToLower(id)
}

func (d pageDecoder) textField(f *field[string]) (err error) {
	f.set = true
	f.value, err = d.text()
	return err
}

func (d pageDecoder) truthField(f *field[bool]) error {
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 't', 'f', 'n':
		f.set, f.value = true, token.Kind() == 't'
		return nil
	}
	return fmt.Errorf("%s where a boolean was expected", token.Kind())
}

func (d pageDecoder) moment() (field[time.Time], error) {
	at, err := d.text()
	return moment(at), err
}

// moment reads a time of Graph. One that cannot be read is as if it were not there.
func moment(at string) (f field[time.Time]) {
	t, err := time.Parse(time.RFC3339, at)
	if err == nil {
		f.set, f.value = true, t.UTC().Truncate(time.Microsecond)
	}
	return f
}
