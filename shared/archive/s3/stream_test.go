//go:build !unit

package s3_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"

	"ace/infra/testkit/minio"
	"ace/shared/archive"
	"ace/shared/archive/s3"
	"ace/shared/fault"
)

// What a stream does while one of its parts is in flight.
func TestStream_SendsAPartWhileTheNextIsFilled(t *testing.T) {
	t.Parallel()
	server := minio.Start(t)
	for name, run := range map[string]func(t *testing.T, server *minio.Server){
		"the writer does not wait for one part":           writesOnePartAhead,
		"parts keep their order whatever is repeated":     partsKeepTheirOrder,
		"the next write reports an error":                 errorSurfacesInWrite,
		"the commit reports an error":                     errorSurfacesInCommit,
		"an abort ends what is being sent":                abortWhileSending,
		"the end of its context ends what is being sent":  cancelledWhileSending,
		"the end of the commit's context does so as well": commitCancelledWhileSending,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each has a proxy and a prefix of its own
			run(t, server)
		})
	}
}

// begun opens a stream whose first part is disturbed once and in flight.
func begun(ctx context.Context, t *testing.T, server *minio.Server, with trouble) (archive.Writer, *s3.Store, *troubledProxy, s3.Options) {
	t.Helper()
	store, proxy, direct := startTroubled(t, server)
	proxy.spoil(http.MethodPut, "partNumber=1", with, 1)
	w, err := store.Create(ctx, "a", "")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write(make([]byte, s3.PartSize+1)); n != s3.PartSize+1 || err != nil {
		t.Fatalf("wrote %d bytes, error %v", n, err)
	}
	if with == held {
		<-proxy.arrived
	}
	return w, store, proxy, direct
}

func wantUnavailable(t *testing.T, call string, err error) {
	t.Helper()
	if fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("%s returns %v, want Unavailable", call, err)
	}
}

// wantNothing checks that neither an object nor an upload remains.
func wantNothing(t *testing.T, store *s3.Store, direct s3.Options) {
	t.Helper()
	if _, err := store.Stat(t.Context(), "a"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("the object is there, or cannot be looked for: %v", err)
	}
	wantNoUploads(t, direct, "a")
}

func writesOnePartAhead(t *testing.T, server *minio.Server) {
	w, store, proxy, _ := begun(t.Context(), t, server, held)
	if n, err := w.Write(make([]byte, s3.PartSize-1)); n != s3.PartSize-1 || err != nil {
		t.Fatalf("while a part is held %d bytes were written, error %v", n, err)
	}
	close(proxy.gate)
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	info, err := w.Commit(t.Context())
	if err != nil || info.Size != 2*s3.PartSize+1 {
		t.Fatalf("committed %+v, error %v", info, err)
	}
	if info, err := store.Stat(t.Context(), "a"); err != nil || info.Size != 2*s3.PartSize+1 {
		t.Errorf("the object is %+v, error %v", info, err)
	}
}

func partsKeepTheirOrder(t *testing.T, server *minio.Server) {
	store, proxy, direct := startTroubled(t, server)
	proxy.spoil(http.MethodPut, "partNumber=", slowDown, 3)
	body := make([]byte, 3*s3.PartSize+12345)
	random := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(body); i += 1000 { // enough to make every piece different
		body[i], body[i+1], body[i+2] = byte(random.Uint32()), byte(i>>10), byte(i>>18)
	}
	w, err := store.Create(t.Context(), "a", "")
	if err != nil {
		t.Fatal(err)
	}
	for rest := body; len(rest) > 0; {
		piece := rest[:min(len(rest), 1+random.IntN(300_000))]
		scratch := bytes.Clone(piece)
		if _, err := w.Write(scratch); err != nil {
			t.Fatal(err)
		}
		clear(scratch) // a writer must not retain the bytes that it got
		rest = rest[len(piece):]
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	object, err := store.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	if got, err := io.ReadAll(object.Body); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes came back of %d, or others; error %v", len(got), len(body), err)
	}
	wantNoUploads(t, direct, "a")
}

func errorSurfacesInWrite(t *testing.T, server *minio.Server) {
	w, store, _, direct := begun(t.Context(), t, server, denied)
	_, err := w.Write(make([]byte, s3.PartSize))
	wantUnavailable(t, "the next part", err)
	if n, err := w.Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("after an error %d bytes are written, error %v", n, err)
	}
	_, err = w.Commit(t.Context())
	wantUnavailable(t, "Commit", err)
	wantNothing(t, store, direct)
}

func errorSurfacesInCommit(t *testing.T, server *minio.Server) {
	w, store, _, direct := begun(t.Context(), t, server, denied)
	_, err := w.Commit(t.Context())
	wantUnavailable(t, "Commit", err)
	wantNothing(t, store, direct)
}

func abortWhileSending(t *testing.T, server *minio.Server) {
	w, store, _, direct := begun(t.Context(), t, server, held)
	w.Abort() // returns although the store does not respond
	w.Abort()
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("an aborted stream takes more")
	}
	wantNothing(t, store, direct)
}

func cancelledWhileSending(t *testing.T, server *minio.Server) {
	ctx, cancel := context.WithCancel(t.Context())
	w, store, _, direct := begun(ctx, t, server, held)
	cancel()
	_, err := w.Write(make([]byte, s3.PartSize))
	wantUnavailable(t, "the next part", err)
	w.Abort()
	wantNothing(t, store, direct)
}

func commitCancelledWhileSending(t *testing.T, server *minio.Server) {
	w, store, _, direct := begun(t.Context(), t, server, held)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Commit(ctx)
	wantUnavailable(t, "Commit", err)
	wantNothing(t, store, direct)
}
