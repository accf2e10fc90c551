package server

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/lanyardhq/lanyard/internal/token"
)

// Row 10 of the list of attacks: what replicas say to each other has a key of its own, and who does not have it is
// turned away on either side.
func TestAttack10OnlyReplicasSpeakBetweenReplicas(t *testing.T) {
	one, two := token.NewSealingKey(), token.NewSealingKey()
	sealer := func(keys ...[]byte) *token.Sealer {
		s, err := token.NewSealer(keys...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	bare := &tls.Config{InsecureSkipVerify: true} // shows no certificate
	for _, c := range []struct {
		name           string
		server, client *tls.Config
		works          bool
	}{
		{"the same key", betweenReplicas(sealer(one)), betweenReplicas(sealer(one)), true},
		{"one has rotated already", betweenReplicas(sealer(two, one)), betweenReplicas(sealer(one, two)), true},
		{"another installation calls", betweenReplicas(sealer(one)), betweenReplicas(sealer(two)), false},
		{"somebody without a certificate calls", betweenReplicas(sealer(one)), bare, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			said := make(chan bool, 1)
			go func() {
				conn, err := l.Accept()
				if err != nil {
					said <- false
					return
				}
				defer conn.Close()
				_, err = io.WriteString(tls.Server(conn, c.server), "hello")
				said <- err == nil
			}()
			conn, err := tls.Dial("tcp", l.Addr().String(), c.client)
			heard := ""
			if err == nil {
				b, _ := io.ReadAll(conn) // an alert ends it, and then it is empty
				heard = string(b)
				conn.Close()
			}
			if spoke := <-said; spoke != c.works || (heard == "hello") != c.works {
				t.Errorf("the server spoke: %v; the client heard %q (%v)", spoke, heard, err)
			}
		})
	}
}
