package config

import (
	"strings"

	"ace/shared/caller"
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

// NeedsToken reports whether every request must have a token.
func (c Config) NeedsToken() bool { return c.TokenFile != "" || c.CallersFile != "" }

// ReadCallers returns the callers of ACE_CALLERS and of ACE_TOKEN_FILE. It returns none
// if neither is configured.
func (c Config) ReadCallers() ([]caller.Entry, error) {
	var entries []caller.Entry
	if c.CallersFile != "" {
		data, err := private.Secret(c.CallersFile)
		if fault.CodeOf(err) == fault.Invalid {
			return nil, fault.New(fault.Invalid, "ACE_CALLERS is refused: %s", fault.PublicMessage(err))
		}
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "ACE_CALLERS is %q, which cannot be read: %v", c.CallersFile, err)
		}
		if entries, err = caller.Parse(c.CallersFile, data); err != nil {
			return nil, err
		}
	}

	token, err := c.ReadToken()
	if err != nil || token == "" {
		return entries, err
	}
	if same, ok := caller.NewTokens(entries...).Find(token); ok {
		return nil, fault.New(fault.Invalid, "ACE_TOKEN_FILE is %q, whose token the caller %s of ACE_CALLERS has too; "+
			"the token of ACE_TOKEN_FILE may do everything, so no caller may have it", c.TokenFile, same.Name)
	}
	return append(entries, caller.TokenEntry(token)), nil
}
