package gitproxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// closedText is what git's user reads when an access ends in the middle.
func closedText(reason access.Reason) string {
	return "Lanyard closed this: " + strings.TrimSuffix(gateway.Printable(reason.Text), ".") + "."
}

// refuse answers a fetch that is not allowed any more. Git shows the body of an error only for the first request of
// an exchange; here it shows an ERR packet, in an answer of the protocol.
func (x *exchange) refuse(err error) error {
	var reason access.Reason
	if errors.As(err, &reason) {
		x.whole(appendPacket(nil, "ERR "+closedText(reason)))
		return nil
	}
	switch problem.KindOf(err) {
	case problem.Internal:
		return err
	default:
		x.whole(appendPacket(nil, "ERR "+gateway.Printable(problem.Words(err))))
		return nil
	}
}

// refusePush answers a push that was not sent on: with a report that rejects every ref, which git shows beside each.
func (x *exchange) refusePush(err error, wanted commands) error {
	if problem.KindOf(err) == problem.Internal || len(wanted.updates) == 0 {
		return err
	}
	x.whole(rejection(wanted, same(gateway.Printable(problem.Words(err)))))
	return nil
}

// refuseRefs answers a push of which a ref was refused before its pack was read.
func (x *exchange) refuseRefs(j *judge, wanted commands, lease *access.Lease, farewell *gateway.Farewell) error {
	x.whole(atOnce(wanted, j.first(wanted), rejection(wanted, j.reason)))
	x.drain(lease)
	if !lease.Reason().IsZero() {
		return farewell.Abort(lease)
	}
	return nil
}

// atOnce puts a text before a report, since git reads a report only when it has sent all of its pack.
func atOnce(wanted commands, text string, report []byte) []byte {
	if !wanted.band || !wanted.report {
		return report
	}
	return append(appendBand(nil, bandProgress, text+"\n"), report...)
}

func same(text string) func(update) string { return func(update) string { return text } }

// cutPush answers a push that was closed before the upstream answered. If the pack had not been passed on whole, the
// upstream cannot have taken it, and the answer is a report that says so.
func (x *exchange) cutPush(reason access.Reason, lease *access.Lease, farewell *gateway.Farewell, wanted commands, whole bool) error {
	text := closedText(reason)
	if whole {
		text += unknownOutcome
		if wanted.band {
			x.whole(appendBand(nil, bandError, text))
		} else {
			x.whole(appendPacket(nil, "ERR "+text))
		}
	} else {
		x.whole(atOnce(wanted, text, rejection(wanted, same(text))))
	}
	x.drain(lease)
	return farewell.Abort(lease)
}

// drained is how long a client may go on sending what was refused.
const drained = 2 * time.Minute

// drain goes on reading what the client sends, until the lease closes the connection: a client that is still
// sending reads the answer before it meets the closed connection.
func (x *exchange) drain(lease *access.Lease) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, x.r.Body)
	}()
	long := time.NewTimer(drained)
	defer long.Stop()
	select {
	case <-done:
	case <-long.C: // the server closes the connection when the handler has returned
	case <-lease.Cut(): // the connection is closed, or closed when the handler has returned: then done comes too
	}
}

// whole writes an answer that is complete in itself.
func (x *exchange) whole(body []byte) {
	gateway.WriteWhole(x.w, http.StatusOK, x.service.answerType(), body)
}

// maxRejected bounds the refs that a rejection lists.
const maxRejected = 1000

// rejection is the report (gitprotocol-pack, "Report Status") of a push of which nothing was taken.
func rejection(wanted commands, reason func(update) string) []byte {
	if !wanted.report {
		var first update // an empty list has none
		if len(wanted.updates) > 0 {
			first = wanted.updates[0]
		}
		text := strings.ReplaceAll(reason(first), "\n", " ")
		if wanted.band {
			return appendBand(nil, bandError, text)
		}
		return appendPacket(nil, "ERR "+text)
	}
	report := appendPacket(nil, "unpack ok\n")
	for _, u := range wanted.updates[:min(len(wanted.updates), maxRejected)] {
		report = appendPacket(report, fmt.Sprintf("ng %s %s\n", u.Name, strings.ReplaceAll(reason(u), "\n", " ")))
	}
	report = append(report, flushPacket...)
	if !wanted.band {
		return report
	}
	return append(appendBand(nil, bandData, string(report)), flushPacket...)
}
