package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxEvent bounds an event's bytes.
const maxEvent = 1 << 20

// unnumbered is how every encoded event begins before it has its number.
var unnumbered = []byte(`{"seq":0,`)

// Record is an event as it is stored: the leaf, and beside it the personal values that the leaf commits to.
type Record struct {
	Leaf  []byte // without its number
	Clear []byte // nil where there are none
}

// Encode makes the record of an event that has no number yet. Times are cut to microseconds in UTC; an event without
// time gets the present one.
func Encode(e Event) (Record, error) {
	e.Seq = 0
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	sealed, clear, err := seal(e)
	if err != nil {
		return Record{}, problem.Wrap(err, problem.Internal, "An audit event cannot be written as JSON.")
	}
	body, err := json.Marshal(sealed)
	if err != nil {
		return Record{}, problem.Wrap(err, problem.Internal, "An audit event cannot be written as JSON.")
	}
	if len(body)+len(clear) > maxEvent {
		return Record{}, problem.New(problem.TooLarge, "An audit event of %d bytes is over the bound of %d.", len(body)+len(clear), maxEvent)
	}
	return Record{Leaf: body, Clear: clear}, nil
}

// EncodeAll makes the records of several events, or none.
func EncodeAll(events []Event) ([]Record, error) {
	records := make([]Record, 0, len(events))
	for _, e := range events {
		r, err := Encode(e)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// Numbered gives the leaf its position. All other bytes stay as they are.
func (r Record) Numbered(seq int64) ([]byte, error) {
	rest, ok := bytes.CutPrefix(r.Leaf, unnumbered)
	if !ok {
		return nil, fmt.Errorf("an audit event does not begin with %s", unnumbered)
	}
	body := make([]byte, 0, len(r.Leaf)+20)
	body = strconv.AppendInt(append(body, `{"seq":`...), seq, 10)
	return append(append(body, ','), rest...), nil
}

// saysNumber reports whether a leaf's bytes begin with this position.
func saysNumber(body []byte, seq int64) bool {
	var head [32]byte
	b := strconv.AppendInt(append(head[:0], `{"seq":`...), seq, 10)
	return bytes.HasPrefix(body, append(b, ','))
}

// Decode reads an event's bytes. Numbers in its detail stay exact (json.Number), personal values commitments.
func Decode(body []byte) (e Event, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&e); err != nil {
		return Event{}, fmt.Errorf("read an audit event: %w", err)
	}
	return e, nil
}

// Event reads a leaf with the personal values that stand beside it.
func (l Leaf) Event() (Event, error) {
	e, err := Decode(l.Body)
	if err != nil {
		return Event{}, err
	}
	openEvent(&e, l.Clear)
	e.Seq = l.Seq
	return e, nil
}
