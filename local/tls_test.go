//go:build !unit

package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority issues certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate
}

func newAuthority(t testing.TB, dir, name string) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a := authority{file: filepath.Join(dir, name+".pem")}
	a.cert, a.key = issueBy(t, template, template, nil)
	writePEM(t, a.file, "CERTIFICATE", a.cert.Raw)
	return a
}

// issueBy signs a certificate with signer, or with its own key if signer is nil.
func issueBy(t testing.TB, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// issue writes a certificate for this host, which is valid for the given time, and its
// key, and returns their paths.
func (a authority) issue(t testing.TB, name string, serial int64, valid time.Duration) (cert, key string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(valid),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	signed, private := issueBy(t, template, a.cert, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = strings.TrimSuffix(a.file, ".pem")+"-"+name+".crt", strings.TrimSuffix(a.file, ".pem")+"-"+name+".key"
	writePEM(t, key, "PRIVATE KEY", der)
	writePEM(t, cert, "CERTIFICATE", signed.Raw)
	return cert, key
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// dialTLS makes a handshake and returns the serial number of the server's certificate.
// Over TLS 1.3 the server refuses a client's certificate after the client's handshake, so
// dialTLS also reads the answer to a request.
func dialTLS(address string, settings *tls.Config) (serial int64, version uint16, err error) {
	conn, err := tls.Dial("tcp", address, settings)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return 0, 0, err
	}
	if _, err := io.ReadAll(conn); err != nil {
		return 0, 0, err
	}
	state := conn.ConnectionState()
	return state.PeerCertificates[0].SerialNumber.Int64(), state.Version, nil
}

// roots returns a pool with one authority.
func (a authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Every handshake is made with the program that was built.
func TestServe_SpeaksTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, other := newAuthority(t, dir, "ca"), newAuthority(t, dir, "other")
	cert, key := ca.issue(t, "server", 7, 20*24*time.Hour)
	mine, mineKey := ca.issue(t, "alice", 8, time.Hour)
	wrong, wrongKey := other.issue(t, "mallory", 9, time.Hour)
	env := settings{"ACE_TLS_CERT": cert, "ACE_TLS_KEY": key, "ACE_TLS_CLIENT_CA": ca.file}
	s := home{dir: dir, password: "there is no password"}.serve(t, env)
	pair := func(cert, key string) []tls.Certificate {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{pair}
	}
	good := func() *tls.Config { return &tls.Config{RootCAs: ca.roots(), Certificates: pair(mine, mineKey)} }

	if serial, version, err := dialTLS(s.host, good()); err != nil || serial != 7 || version != tls.VersionTLS13 {
		t.Fatalf("certificate %d, version %x, %v", serial, version, err)
	}
	for name, change := range map[string]func(*tls.Config){
		"no client certificate": func(c *tls.Config) { c.Certificates = nil },
		"a foreign certificate": func(c *tls.Config) { c.Certificates = pair(wrong, wrongKey) },
		"TLS 1.1":               func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
		"no forward secrecy": func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
		},
		"no authenticated encrypt": func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		},
	} {
		settings := good()
		change(settings)
		if _, _, err := dialTLS(s.host, settings); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, version, err := dialTLS(s.host, &tls.Config{RootCAs: ca.roots(), Certificates: pair(mine, mineKey), MaxVersion: tls.VersionTLS12}); err != nil || version != tls.VersionTLS12 {
		t.Errorf("TLS 1.2: version %x, %v", version, err)
	}

	checkPlainAndCommands(t, s, ca, mine, mineKey)
	checkReload(t, s, ca, good())
}

// checkPlainAndCommands checks the answer to a client without TLS, and that the commands
// can use the service.
func checkPlainAndCommands(t *testing.T, s *service, ca authority, cert, key string) {
	t.Helper()
	response, err := http.Get("http://" + s.host + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "HTTPS") {
		t.Errorf("plain HTTP is answered %s: %s", response.Status, body)
	}

	for _, tt := range []struct {
		env  settings
		code int
		want string
	}{
		{settings{"ACE_SERVER": "http://" + s.host}, 4, "serves TLS: use https://" + s.host},
		{settings{"ACE_SERVER": "https://" + s.host}, 4, "certificate signed by unknown authority"},
		{settings{"ACE_SERVER": "https://" + s.host, "ACE_CA": ca.file}, 4, "certificate required"},
		{settings{"ACE_SERVER": "https://" + s.host, "ACE_CA": ca.file, "ACE_CLIENT_CERT": cert}, 4, "must be used together"},
		{settings{"ACE_SERVER": "https://" + s.host, "ACE_CA": ca.file, "ACE_CLIENT_CERT": cert, "ACE_CLIENT_KEY": key}, 0, "tasks"},
	} {
		if code, text := run(t, t.TempDir(), tt.env, "tasks", "--json"); (code == 0) != (tt.code == 0) || !strings.Contains(text, tt.want) {
			t.Errorf("%v: exit code %d, %s", tt.env, code, text)
		}
	}
}

// checkReload replaces the certificate, first with one that has another key.
func checkReload(t *testing.T, s *service, ca authority, settings *tls.Config) {
	t.Helper()
	serial := func() int64 {
		serial, _, err := dialTLS(s.host, settings)
		if err != nil {
			t.Fatal(err)
		}
		return serial
	}
	dir := t.TempDir()
	_ = os.Rename(ca.file, filepath.Join(dir, "ca.pem"))
	moved := authority{cert: ca.cert, key: ca.key, file: filepath.Join(dir, "ca.pem")}
	cert, key := moved.issue(t, "server", 17, time.Hour)
	replace := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(moved.file, ca.file); err != nil {
		t.Fatal(err)
	}
	old := strings.TrimSuffix(ca.file, ".pem") + "-server"
	replace(cert, old+".crt")
	if got := serial(); got != 7 {
		t.Errorf("with a certificate without its key, %d is served", got)
	}
	if level := s.logged(t, "TLS certificate not reloaded; the previous one is still used", "level"); level != "ERROR" {
		t.Errorf("the mistake is logged as %s", level)
	}
	replace(key, old+".key")
	if got := serial(); got != 17 {
		t.Errorf("after the renewal, %d is served", got)
	}
	s.hangUp(t)
	if file := s.logged(t, "reloaded after SIGHUP", "certificate"); file != old+".crt" {
		t.Errorf("reloaded %q", file)
	}
}

func TestServe_RefusesTLSFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	cert, key := ca.issue(t, "server", 7, time.Hour)
	_, foreign := ca.issue(t, "foreign", 8, time.Hour)
	expired, expiredKey := ca.issue(t, "expired", 9, -time.Hour)
	_, open := ca.issue(t, "open", 10, time.Hour)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		env  settings
		want []string
	}{
		"expired":      {settings{"ACE_TLS_CERT": expired, "ACE_TLS_KEY": expiredKey}, []string{expired, "expired on", "renew it"}},
		"other key":    {settings{"ACE_TLS_CERT": cert, "ACE_TLS_KEY": foreign}, []string{cert, foreign, "does not match"}},
		"open key":     {settings{"ACE_TLS_CERT": cert, "ACE_TLS_KEY": open}, []string{"ACE_TLS_KEY", open, "chmod"}},
		"missing":      {settings{"ACE_TLS_CERT": dir + "/none", "ACE_TLS_KEY": key}, []string{"ACE_TLS_CERT", dir + "/none"}},
		"no key":       {settings{"ACE_TLS_CERT": cert}, []string{"ACE_TLS_KEY must name"}},
		"no client CA": {settings{"ACE_TLS_CERT": cert, "ACE_TLS_KEY": key, "ACE_TLS_CLIENT_CA": key}, []string{"ACE_TLS_CLIENT_CA", "no PEM certificate"}},
		"only CA":      {settings{"ACE_TLS_CLIENT_CA": ca.file}, []string{"ACE_TLS_CLIENT_CA needs ACE_TLS_CERT"}},
		"a socket":     {settings{"ACE_TLS_CERT": cert, "ACE_TLS_KEY": key, "ACE_LISTEN": "unix://" + dir + "/s"}, []string{"has no TLS"}},
		"public":       {settings{"ACE_TLS_CERT": cert, "ACE_TLS_KEY": key, "ACE_LISTEN": "0.0.0.0:0", "ACE_LISTEN_PUBLIC": "true"}, []string{"ACE_TOKEN_FILE"}},
	} {
		code, text := run(t, dir, tt.env, "serve")
		if code != exitConfig {
			t.Errorf("%s: exit code %d", name, code)
		}
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %s lacks %q", name, text, want)
			}
		}
	}
	soon, soonKey := ca.issue(t, "soon", 11, 20*24*time.Hour)
	if _, text := run(t, dir, settings{"ACE_TLS_CERT": soon, "ACE_TLS_KEY": soonKey}, "doctor"); !strings.Contains(text, "expires in 19 days") {
		t.Errorf("doctor printed:\n%s", text)
	}
}
