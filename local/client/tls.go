package client

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"ace/shared/fault"
	"ace/shared/private"
)

// tlsFiles are the files of a connection with TLS. Each may be empty.
type tlsFiles struct {
	ca        string // the authorities of the service's certificate; "" means those of the system
	cert, key string // the certificate of the client and its key
}

// read returns the configuration of connections with TLS.
func (f tlsFiles) read() (*tls.Config, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fault.New(fault.Invalid, "--ca (ACE_CA) cannot be read: %v", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(text) {
			return nil, fault.New(fault.Invalid, "--ca (ACE_CA) is %s, which has no PEM certificate", f.ca)
		}
	}

	if f.cert == "" && f.key == "" {
		return settings, nil
	}
	if f.cert == "" || f.key == "" {
		return nil, fault.New(fault.Invalid, "--client-cert (ACE_CLIENT_CERT) and --client-key (ACE_CLIENT_KEY) must be used together")
	}
	key, err := private.Secret(f.key)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "--client-key (ACE_CLIENT_KEY) cannot be used: %s", readable(err))
	}
	chain, err := os.ReadFile(f.cert)
	if err != nil {
		return nil, fault.New(fault.Invalid, "--client-cert (ACE_CLIENT_CERT) cannot be read: %v", err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the client certificate %s and the key %s cannot be used together: %v", f.cert, f.key, err)
	}
	settings.Certificates = []tls.Certificate{pair}
	return settings, nil
}

// readable returns the message of a file that cannot be used.
func readable(err error) string {
	if fault.CodeOf(err) == fault.Invalid {
		return fault.PublicMessage(err)
	}
	return err.Error()
}
