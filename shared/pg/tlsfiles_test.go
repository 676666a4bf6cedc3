package pg

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ace/shared/cluster"
	"ace/shared/fault"
)

// keyPair returns a self-signed certificate and its key as PEM blocks.
func keyPair(t *testing.T) (cert, key *pem.Block) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "CERTIFICATE", Bytes: signed}, &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}
}

// Case O-P20, see docs/RELIABILITY.md.
func TestParseConfig_NamesTheTLSFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := func(name string, mode fs.FileMode, block *pem.Block) string {
		path := filepath.Join(dir, name)
		content := []byte("no PEM")
		if block != nil {
			content = pem.EncodeToMemory(block)
		}
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certBlock, keyBlock := keyPair(t)
	_, otherBlock := keyPair(t)
	locked, err := x509.EncryptPEMBlock(rand.Reader, keyBlock.Type, keyBlock.Bytes, []byte("it's"), x509.PEMCipherAES256) //nolint:staticcheck // libpq reads this format
	if err != nil {
		t.Fatal(err)
	}
	cert, key, other := store("cert", 0o600, certBlock), store("key", 0o600, keyBlock), store("other", 0o600, otherBlock)
	open, encrypted := store("open", 0o644, keyBlock), store("encrypted", 0o600, locked)
	modern, noPEM := store("modern", 0o600, &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), store("no-pem", 0o600, nil)
	missing := filepath.Join(dir, "missing")

	for name, tt := range map[string]struct {
		options  map[string]string
		password cluster.Secret
		want     string
	}{
		"all is well":              {map[string]string{"sslrootcert": cert, "sslcert": cert, "sslkey": key}, "", ""},
		"the system's":             {map[string]string{"sslrootcert": "system"}, "", ""},
		"no root":                  {map[string]string{"sslrootcert": missing}, "", "sslrootcert " + missing + " does not exist: correct the path in the cluster definition"},
		"a root that is none":      {map[string]string{"sslrootcert": key}, "", "sslrootcert " + key + " has no certificate in PEM format"},
		"a root that is no PEM":    {map[string]string{"sslrootcert": noPEM}, "", "sslrootcert " + noPEM + " is not a file in PEM format"},
		"a root that is relative":  {map[string]string{"sslrootcert": "ca.pem"}, "", `sslrootcert is "ca.pem"; it must be an absolute path`},
		"a directory":              {map[string]string{"sslrootcert": dir}, "", "sslrootcert " + dir + " cannot be read: is a directory"},
		"a certificate alone":      {map[string]string{"sslcert": cert}, "", "sslcert is set without sslkey: set both, or none"},
		"a key alone":              {map[string]string{"sslkey": key}, "", "sslkey is set without sslcert: set both, or none"},
		"no certificate":           {map[string]string{"sslcert": missing, "sslkey": key}, "", "sslcert " + missing + " does not exist"},
		"no key":                   {map[string]string{"sslcert": cert, "sslkey": missing}, "", "sslkey " + missing + " does not exist"},
		"the key of another":       {map[string]string{"sslcert": cert, "sslkey": other}, "", "cannot be used together: tls: private key does not match public key"},
		"a key open to others":     {map[string]string{"sslcert": cert, "sslkey": open}, "", "sslkey " + open + " has mode 0644, so other users may read it: run chmod 600 '" + open + "'"},
		"an encrypted key":         {map[string]string{"sslcert": cert, "sslkey": encrypted}, "", "sslkey " + encrypted + " is encrypted: set sslpassword"},
		"its password":             {map[string]string{"sslcert": cert, "sslkey": encrypted}, "it's", ""},
		"another password":         {map[string]string{"sslcert": cert, "sslkey": encrypted}, "hunter2", "sslkey " + encrypted + " cannot be decrypted with sslpassword"},
		"a modern encrypted key":   {map[string]string{"sslcert": cert, "sslkey": modern}, "x", "is encrypted in the format PKCS #8, which is not supported"},
		"not needed by sslmode":    {map[string]string{"sslmode": "disable", "sslrootcert": missing, "sslcert": missing}, "", ""},
		"not needed without certs": {map[string]string{"sslcertmode": "disable", "sslcert": missing}, "", ""},
	} {
		at := cluster.Target{Node: "n1", Host: "h", Port: 5432, Database: "d", User: "u", Options: tt.options, KeyPassword: tt.password}
		_, err := parseConfig(at)
		text := fault.PublicMessage(err)
		if (err != nil) != (tt.want != "") || err != nil && (fault.CodeOf(err) != fault.Invalid || !strings.HasPrefix(text, `node "n1": `) || !strings.Contains(text, tt.want)) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

// Case O-P23, see docs/RELIABILITY.md.
func TestParseConfig_AppliesTheParametersOfTheDefinition(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		options map[string]string
		name    string
		limit   time.Duration
	}{
		{nil, "ace", 10 * time.Second},
		{map[string]string{"connect_timeout": "0", "fallback_application_name": "y"}, "y", 10 * time.Second},
		{map[string]string{"connect_timeout": "1", "application_name": "x", "fallback_application_name": "y"}, "x", 2 * time.Second},
		{map[string]string{"connect_timeout": "30"}, "ace", 30 * time.Second},
	} {
		at := cluster.Target{Node: "n1", Host: "h", Port: 5432, Database: "d", User: "u", Options: tt.options}
		config, err := parseConfig(at)
		if err != nil {
			t.Fatal(err)
		}
		applyOptions(config.ConnConfig, at)
		if got := config.ConnConfig; got.RuntimeParams["application_name"] != tt.name || len(got.RuntimeParams) != 1 || got.ConnectTimeout != tt.limit {
			t.Errorf("%v: got %v and %s", tt.options, got.RuntimeParams, got.ConnectTimeout)
		}
	}
}

// Case O-P23, see docs/RELIABILITY.md. The lookup of the host and the link allow as much
// time as connect_timeout does.
func TestBeforeConnect_AppliesConnectTimeout(t *testing.T) {
	t.Parallel()
	at := cluster.Target{Node: "n1", Host: "h", Port: 5432, Database: "d", User: "u", Options: map[string]string{"connect_timeout": "600"}}
	config, err := parseConfig(at)
	if err != nil {
		t.Fatal(err)
	}
	var left time.Duration
	config.ConnConfig.LookupFunc = func(ctx context.Context, _ string) ([]string, error) {
		end, _ := ctx.Deadline()
		left = time.Until(end)
		return nil, nil
	}
	if err := NewPools(Options{}).beforeConnect(at)(t.Context(), config.ConnConfig); err != nil {
		t.Fatal(err)
	}
	if _, err := config.ConnConfig.LookupFunc(t.Context(), "h"); err != nil || left < 590*time.Second {
		t.Errorf("the lookup may take %s, error %v", left, err)
	}

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := config.ConnConfig.DialFunc(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.(*link).limits; got.silence < 600*time.Second || got.total < 600*time.Second {
		t.Errorf("the link allows %+v", got)
	}
}
