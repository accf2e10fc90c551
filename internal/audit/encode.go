package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxEvent bounds an event's bytes.
const maxEvent = 1 << 20

// unnumbered is how every encoded event begins before it has its number.
var unnumbered = []byte(`{"seq":0,`)

// Encode makes the bytes of an event that has no number yet. Times are cut to microseconds in UTC; an event without
// time gets the present one.
func Encode(e Event) ([]byte, error) {
	e.Seq = 0
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	body, err := json.Marshal(e)
	if err != nil {
		return nil, problem.Wrap(err, problem.Internal, "An audit event cannot be written as JSON.")
	}
	if len(body) > maxEvent {
		return nil, problem.New(problem.TooLarge, "An audit event of %d bytes is over the bound of %d.", len(body), maxEvent)
	}
	return body, nil
}

// Decode reads an event's bytes. Numbers in its detail stay exact (json.Number).
func Decode(body []byte) (e Event, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&e); err != nil {
		return Event{}, fmt.Errorf("read an audit event: %w", err)
	}
	return e, nil
}

// leafOf gives encoded bytes their number. All other bytes stay as they are.
func leafOf(pending []byte, seq int64) (Leaf, error) {
	rest, ok := bytes.CutPrefix(pending, unnumbered)
	if !ok {
		return Leaf{}, fmt.Errorf("a pending audit event does not begin with %s", unnumbered)
	}
	body := make([]byte, 0, len(pending)+20)
	body = strconv.AppendInt(append(body, `{"seq":`...), seq, 10)
	body = append(append(body, ','), rest...)
	e, err := Decode(body)
	if err != nil {
		return Leaf{}, err
	}
	return indexed(e, body), nil
}

// indexed is an event's leaf with the columns that its bytes call for.
func indexed(e Event, body []byte) Leaf {
	l := Leaf{Seq: e.Seq, At: e.Time.UTC(), Action: searchable(e.Action), Workspace: searchable(string(e.Workspace)), Body: body}
	if e.User != nil {
		l.Person = searchable(e.User.Object)
	}
	return l
}

// searchable leaves out what a database's text may not hold.
func searchable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}

func sameIndex(a, b Leaf) bool {
	return a.Seq == b.Seq && a.At.Equal(b.At) && a.Action == b.Action && a.Person == b.Person && a.Workspace == b.Workspace
}
