package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"ace/shared/config"
	"ace/shared/fault"
	"ace/shared/private"
)

// maxCertificates is the maximum size of a file with certificates in bytes.
const maxCertificates = 1 << 20

// notReloaded is the log message for TLS files that cannot be used.
const notReloaded = "TLS certificate not reloaded; the previous one is still used"

// certificates are the TLS files of the service. It reads them again after they have
// changed, so a renewed certificate is used without a restart. It is safe for concurrent
// use.
type certificates struct {
	config config.Config
	log    *slog.Logger

	mu    sync.Mutex
	state string // the state of the files when they were last read, see fileState
	tls   *tls.Config
	ends  time.Time // when the certificate expires
}

// openCertificates reads the TLS files. It returns nil if the service serves no TLS.
func openCertificates(c config.Config, log *slog.Logger) (*certificates, error) {
	if c.TLSCert == "" {
		return nil, nil //nolint:nilnil // nil means that there is no TLS
	}
	s := &certificates{config: c, log: log}
	return s, s.load()
}

// load reads the files. If one of them cannot be used, the former certificate stays.
func (s *certificates) load() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = fileState(s.config)
	settings, ends, err := readTLS(s.config, time.Now())
	if err != nil {
		return err
	}
	s.tls, s.ends = settings, ends
	return nil
}

// useTLS sets the certificate that the service serves.
func (s *service) useTLS(c *certificates) {
	s.certificates = c
	if s.metrics != nil {
		s.metrics.WatchCertificate(c.expiry)
	}
}

// expiry returns the time at which the certificate expires.
func (s *certificates) expiry() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ends
}

// listenerConfig returns the configuration of a listener. It offers only HTTP/1.1, as the
// listener without TLS does, so both behave alike. It checks before each handshake
// whether a file has changed.
func (s *certificates) listenerConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			s.refresh()
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.tls, nil
		},
	}
}

// refresh reads the files again if one has changed. A renewal does not replace both files
// at the same moment. In between, the certificate has another key, which is an error
// until the next change.
func (s *certificates) refresh() {
	s.mu.Lock()
	same := s.state == fileState(s.config)
	s.mu.Unlock()
	if same {
		return
	}
	if err := s.load(); err != nil {
		s.log.Error(notReloaded, "error", fault.PublicMessage(err))
		return
	}
	s.log.Info("TLS certificate reloaded", "file", s.config.TLSCert, "expires", s.expiry().UTC())
}

// fileState returns a text that is different after one of the files was changed or
// replaced.
func fileState(c config.Config) (state string) {
	for _, path := range []string{c.TLSCert, c.TLSKey, c.TLSClientCA} {
		info, err := os.Stat(path)
		if err != nil {
			state += "missing;"
			continue
		}
		var inode uint64
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			inode = stat.Ino
		}
		state += fmt.Sprintf("%d %d %d %s;", inode, info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	return state
}

// readTLS reads and checks the TLS files. Every error names the variable, the file and
// what to do. Go's defaults choose the cipher suites: only those with forward secrecy and
// authenticated encryption are named here for TLS 1.2, and TLS 1.3 has no others.
func readTLS(c config.Config, now time.Time) (*tls.Config, time.Time, error) {
	pair, err := readPair(c)
	if err != nil {
		return nil, time.Time{}, err
	}
	leaf := pair.Leaf
	refused := func(format string, args ...any) (*tls.Config, time.Time, error) {
		return nil, time.Time{}, fault.New(fault.Invalid, "ACE_TLS_CERT is %q: %s", c.TLSCert, fmt.Sprintf(format, args...))
	}
	switch {
	case now.After(leaf.NotAfter):
		return refused("the certificate expired on %s; renew it", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return refused("the certificate is valid only from %s; check the clock of this host", leaf.NotBefore.UTC().Format(time.RFC3339))
	case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		return refused("the certificate names no host (subjectAltName), so no client accepts it; issue one that names the host")
	}

	settings := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
		Certificates: []tls.Certificate{pair},
		CipherSuites: []uint16{ // the suites of TLS 1.2
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
	if c.TLSClientCA != "" {
		err = requireClientCertificate(c, settings)
	}
	return settings, leaf.NotAfter, err
}

// requireClientCertificate makes the service accept only clients with a certificate of an
// authority in ACE_TLS_CLIENT_CA. A session cannot be resumed then: it would still be
// accepted after its authority was removed from the file.
func requireClientCertificate(c config.Config, settings *tls.Config) (err error) {
	settings.ClientAuth, settings.SessionTicketsDisabled = tls.RequireAndVerifyClientCert, true
	settings.ClientCAs, err = readPool("ACE_TLS_CLIENT_CA", c.TLSClientCA)
	return err
}

// readPair reads the certificate and its key.
func readPair(c config.Config) (tls.Certificate, error) {
	chain, err := private.Instructions(c.TLSCert, maxCertificates)
	if err != nil {
		return tls.Certificate{}, fault.New(fault.Invalid, "ACE_TLS_CERT cannot be used: %s", reason(err))
	}
	key, err := private.Secret(c.TLSKey)
	if err != nil {
		return tls.Certificate{}, fault.New(fault.Invalid, "ACE_TLS_KEY cannot be used: %s", reason(err))
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return tls.Certificate{}, fault.New(fault.Invalid, "ACE_TLS_CERT is %q and ACE_TLS_KEY is %q, which cannot be used together: %v; "+
			"they must be a PEM certificate, followed by those of its issuers, and its PEM key without a password", c.TLSCert, c.TLSKey, err)
	}
	return pair, nil
}

// readPool reads the certificates of authorities. variable names the file in errors.
func readPool(variable, path string) (*x509.CertPool, error) {
	text, err := private.Instructions(path, maxCertificates)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s cannot be used: %s", variable, reason(err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fault.New(fault.Invalid, "%s is %q, which has no PEM certificate", variable, path)
	}
	return pool, nil
}

// reason returns the message of a file that cannot be used.
func reason(err error) string {
	if fault.CodeOf(err) == fault.Invalid {
		return fault.PublicMessage(err)
	}
	return err.Error()
}

// certificateWarning is how long before the end of a certificate doctor begins to warn.
const certificateWarning = 30 * 24 * time.Hour

// checkTLS checks the TLS files of the service.
func checkTLS(f *findings, c config.Config) {
	if c.TLSCert == "" {
		return
	}
	f.section("TLS")
	_, ends, err := readTLS(c, time.Now())
	left := time.Until(ends)
	switch {
	case err != nil:
		f.fail(err, "")
	case left < certificateWarning:
		f.warn("renew it; a running service uses the new file at once", "the certificate %s expires in %d days, on %s",
			c.TLSCert, int(left.Hours()/24), ends.UTC().Format(time.RFC3339))
	default:
		f.ok("the certificate is valid until %s", ends.UTC().Format(time.RFC3339))
	}
}
