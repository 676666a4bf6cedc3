package config

import (
	"strings"

	"ace/shared/fault"
	"ace/shared/private"
)

const minToken = 16

// ReadToken returns the bearer token that requests must have, without surrounding white
// space, or "" if none is configured.
func (c Config) ReadToken() (string, error) {
	if c.TokenFile == "" {
		return "", nil
	}

	data, err := private.Secret(c.TokenFile)
	if fault.CodeOf(err) == fault.Invalid {
		return "", fault.New(fault.Invalid, "ACE_TOKEN_FILE is refused: %s", fault.PublicMessage(err))
	}
	if err != nil {
		return "", fault.Wrap(err, fault.Invalid, "ACE_TOKEN_FILE is %q, which cannot be read: %v", c.TokenFile, err)
	}

	token := strings.TrimSpace(string(data))
	if len(token) < minToken || strings.ContainsAny(token, " \t\r\n") {
		return "", fault.New(fault.Invalid, "ACE_TOKEN_FILE is %q, which must contain one token of at least %d characters", c.TokenFile, minToken)
	}
	return token, nil
}
