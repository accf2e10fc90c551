package httpproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
)

// text is gRPC's codec for messages that are strings.
type text struct{}

func (text) Marshal(v any) ([]byte, error)      { return []byte(*v.(*string)), nil }
func (text) Unmarshal(data []byte, v any) error { *v.(*string) = string(data); return nil }
func (text) Name() string                       { return "text" }

// chat is a gRPC service of a unary method, and one that streams both ways.
func chat(t *testing.T) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.ForceServerCodec(text{}))
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "chat.Chat", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Say", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var said string
			if err := decode(&said); err != nil {
				return nil, err
			}
			if said == "fail" {
				return nil, status.Error(codes.FailedPrecondition, "not like this")
			}
			in, _ := metadata.FromIncomingContext(ctx)
			if err := grpc.SetTrailer(ctx, metadata.Pairs("last-words", "bye", "mine-back", strings.Join(in.Get("mine"), ","))); err != nil {
				return nil, err
			}
			answer := "you said " + said
			return &answer, nil
		}}},
		Streams: []grpc.StreamDesc{{StreamName: "Talk", ServerStreams: true, ClientStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
			for n := 1; ; n++ {
				var said string
				if err := stream.RecvMsg(&said); errors.Is(err, io.EOF) {
					return status.Error(codes.OutOfRange, "that was all")
				} else if err != nil {
					return err
				}
				answer := fmt.Sprintf("%d: %s", n, said)
				if err := stream.SendMsg(&answer); err != nil {
					return err
				}
			}
		}}},
	}, nil)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return &httptest.Server{URL: "http://" + l.Addr().String()}
}

// TestGRPC: a client of gRPC's own speaks with a server of gRPC's own: unary and streaming calls, metadata, trailers,
// errors, and a cut.
func TestGRPC(t *testing.T) {
	s := behind(t, chat(t), "    http2: true\n")
	server := s.serve(t, gatewaytest.Ada)
	conn, err := grpc.NewClient(strings.TrimPrefix(server.URL, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(text{})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var trailer metadata.MD
	said, answer := "hello", ""
	if err := conn.Invoke(metadata.AppendToOutgoingContext(ctx, "mine", "kept"), "/r/app/chat.Chat/Say", &said, &answer, grpc.Trailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	if answer != "you said hello" || strings.Join(trailer.Get("last-words"), "") != "bye" || strings.Join(trailer.Get("mine-back"), "") != "kept" {
		t.Errorf("%q with %v", answer, trailer)
	}
	said = "fail"
	if err := conn.Invoke(ctx, "/r/app/chat.Chat/Say", &said, &answer); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "not like this") {
		t.Errorf("%v", err)
	}
	talk := func() grpc.ClientStream {
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/r/app/chat.Chat/Talk")
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 3; n++ { // each is answered before the next is said
			said = fmt.Sprint("word ", n)
			if err := stream.SendMsg(&said); err != nil {
				t.Fatal(err)
			}
			if err := stream.RecvMsg(&answer); err != nil || answer != fmt.Sprintf("%d: word %d", n, n) {
				t.Fatalf("%q %v", answer, err)
			}
		}
		return stream
	}
	stream := talk()
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(&answer); status.Code(err) != codes.OutOfRange {
		t.Errorf("%v", err)
	}
	stream = talk()
	if n := s.Leave(); n != 1 {
		t.Errorf("%d leases were cut", n)
	}
	if err := stream.RecvMsg(&answer); err == nil || ctx.Err() != nil {
		t.Errorf("the stream is open after the cut: %v", err)
	}
	if err := conn.Invoke(ctx, "/r/app/chat.Chat/Say", &said, &answer); err == nil {
		t.Error("a call after the cut was answered")
	}
	s.Join()
	said = "again"
	if err := conn.Invoke(ctx, "/r/app/chat.Chat/Say", &said, &answer); err != nil || answer != "you said again" {
		t.Errorf("%q %v", answer, err)
	}
}
