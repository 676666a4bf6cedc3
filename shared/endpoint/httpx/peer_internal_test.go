package httpx

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestPeerOf_NamesTheUserAlsoOverTLS(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := new(net.Dialer).DialContext(t.Context(), "unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	want := fmt.Sprintf("uid %d", os.Getuid())
	secured := tls.Server(conn, &tls.Config{MinVersion: tls.VersionTLS12})
	if plain, over := peerOf(conn), peerOf(secured); plain != want || over != want {
		t.Errorf("got %q and, over TLS, %q", plain, over)
	}
}
