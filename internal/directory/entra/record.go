package entra

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

// A page is kept in a form of its own, a fraction of Graph's: what is read of it, GUIDs in 16 bytes.

const recordForm = 2 // the first byte of a record

// flags of an item
const (
	hasName = 1 << iota
	hasUserName
	hasMail
	hasEnabled
	isEnabled
	hasSecurity
	isSecurity
	hasSignIns
	wasBinned
	wasDeleted
	hasTypes
	isUnified
)

var errBadRecord = errors.New("a page that was kept cannot be read")

// record appends the items of a page.
func record(b []byte, items []deltaItem) []byte {
	b = append(b, recordForm)
	b = binary.AppendUvarint(b, uint64(len(items)))
	for i := range items {
		it := &items[i]
		b = appendID(b, it.ID)
		flags := uint64(0)
		for _, f := range []struct {
			on  bool
			bit uint64
		}{
			{it.DisplayName.set, hasName}, {it.UserPrincipalName.set, hasUserName}, {it.Mail.set, hasMail},
			{it.AccountEnabled.set, hasEnabled}, {it.AccountEnabled.value, isEnabled}, {it.SecurityEnabled.set, hasSecurity},
			{it.SecurityEnabled.value, isSecurity}, {it.SignInsFrom.set, hasSignIns}, {it.Removed == binned, wasBinned}, {it.Removed == deleted, wasDeleted},
			{it.Unified.set, hasTypes}, {it.Unified.value, isUnified},
		} {
			if f.on {
				flags |= f.bit
			}
		}
		b = binary.AppendUvarint(b, flags)
		for _, f := range []field[string]{it.DisplayName, it.UserPrincipalName, it.Mail} {
			if f.set {
				b = binary.AppendUvarint(b, uint64(len(f.value)))
				b = append(b, f.value...)
			}
		}
		if it.SignInsFrom.set {
			b = binary.AppendVarint(b, it.SignInsFrom.value.UnixMicro())
		}
		b = binary.AppendUvarint(b, uint64(len(it.Members)))
		for _, m := range it.Members {
			kind := byte(m.Kind) << 1
			if m.Removed {
				kind |= 1
			}
			b = appendID(append(b, kind), m.ID)
		}
	}
	return b
}

// appendID writes a GUID as a zero and its 16 bytes, anything else with its length and 1. IDs are in lower case.
func appendID(b []byte, id string) []byte {
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		var digits [32]byte
		var packed [16]byte
		at := 0
		for _, part := range [...]string{id[:8], id[9:13], id[14:18], id[19:23], id[24:]} {
			at += copy(digits[at:], part)
		}
		if _, err := hex.Decode(packed[:], digits[:]); err == nil {
			return append(append(b, 0), packed[:]...)
		}
	}
	return append(binary.AppendUvarint(b, uint64(len(id))+1), id...)
}

// recordReader reads what record wrote. After the first thing that cannot be read, everything is zero.
type recordReader struct {
	b   []byte
	bad bool
}

func (r *recordReader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *recordReader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.take(uint64(size))
	return n
}

func (r *recordReader) signed() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.take(uint64(size))
	return n
}

func (r *recordReader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *recordReader) id() string {
	n := r.number()
	if n > 0 {
		return string(r.take(n - 1))
	}
	b := r.take(16)
	if len(b) < 16 {
		return ""
	}
	var id [36]byte
	hex.Encode(id[:], b[:4])
	hex.Encode(id[9:], b[4:6])
	hex.Encode(id[14:], b[6:8])
	hex.Encode(id[19:], b[8:10])
	hex.Encode(id[24:], b[10:])
	id[8], id[13], id[18], id[23] = '-', '-', '-', '-'
	return string(id[:])
}

// recorded is the inverse of record.
func recorded(b []byte) ([]deltaItem, error) {
	r := recordReader{b: b}
	if r.byte() != recordForm {
		return nil, errBadRecord
	}
	n := r.number()
	if n > uint64(len(r.b)) { // an item has more bytes than one
		return nil, errBadRecord
	}
	items := make([]deltaItem, 0, n)
	for range n {
		it := deltaItem{ID: r.id()}
		flags := r.number()
		for _, f := range []struct {
			to  *field[string]
			bit uint64
		}{{&it.DisplayName, hasName}, {&it.UserPrincipalName, hasUserName}, {&it.Mail, hasMail}} {
			if flags&f.bit != 0 {
				*f.to = field[string]{true, string(r.take(r.number()))}
			}
		}
		it.AccountEnabled = field[bool]{flags&hasEnabled != 0, flags&isEnabled != 0}
		it.SecurityEnabled = field[bool]{flags&hasSecurity != 0, flags&isSecurity != 0}
		it.Unified = field[bool]{flags&hasTypes != 0, flags&isUnified != 0}
		if flags&hasSignIns != 0 {
			it.SignInsFrom = field[time.Time]{true, time.UnixMicro(r.signed()).UTC()}
		}
		if flags&wasBinned != 0 {
			it.Removed = binned
		} else if flags&wasDeleted != 0 {
			it.Removed = deleted
		}
		members := r.number()
		if r.bad || members > uint64(len(r.b)) {
			return nil, errBadRecord
		}
		for range members {
			kind := r.byte()
			it.Members = append(it.Members, memberItem{ID: r.id(), Kind: memberKind(kind >> 1), Removed: kind&1 != 0})
		}
		if r.bad {
			return nil, errBadRecord
		}
		items = append(items, it)
	}
	if len(r.b) > 0 {
		return nil, errBadRecord
	}
	return items, nil
}
