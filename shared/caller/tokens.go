package caller

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"

	"ace/shared/api"
)

// Hash is the SHA-256 of a token.
type Hash [sha256.Size]byte

// HashOf returns the hash of a token.
func HashOf(token string) Hash { return sha256.Sum256([]byte(token)) }

// String returns the hash as it is written in a callers file.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// NewToken returns a new random token of 130 bits. Programs that search for secrets can
// recognise it by its beginning.
func NewToken() string { return "ace_" + strings.ToLower(rand.Text()) }

// Line returns the line of a callers file for a caller with the token.
func Line(c Caller, token string) string {
	return fmt.Sprintf("  - {name: %s, token_sha256: %s, rights: [%s], clusters: [%s]}",
		c.Name, HashOf(token), joined(c.Rights), joined(c.Clusters))
}

func joined[T ~string](items []T) string {
	texts := make([]string, 0, len(items))
	for _, item := range items {
		texts = append(texts, fmt.Sprintf("%q", string(item)))
	}
	return strings.Join(texts, ", ")
}

// Tokens finds the caller of a token. The zero value knows no token. It is safe for
// concurrent use.
type Tokens struct {
	entries atomic.Pointer[[]Entry]
}

// NewTokens returns the callers of entries.
func NewTokens(entries ...Entry) *Tokens {
	t := &Tokens{}
	t.Replace(entries)
	return t
}

// Single returns a Tokens with one token, whose caller may do everything.
func Single(token string) *Tokens { return NewTokens(TokenEntry(token)) }

// TokenEntry returns the entry of the token of ACE_TOKEN_FILE.
func TokenEntry(token string) Entry {
	return Entry{Caller: Unrestricted(Token), Tokens: []Hash{HashOf(token)}}
}

// Replace replaces all callers. A request that has been identified keeps its caller.
func (t *Tokens) Replace(entries []Entry) { t.entries.Store(&entries) }

// Find returns the caller that has a token. It compares the hash of the token with the
// hashes of all callers in constant time, so its duration reveals neither the content of
// a token nor which caller has it.
func (t *Tokens) Find(token string) (found Caller, ok bool) {
	entries := t.entries.Load()
	if entries == nil || token == "" { // a request without a token is from no caller, whatever a file has
		return Caller{}, false
	}
	sum := HashOf(token)
	for _, e := range *entries {
		for _, hash := range e.Tokens {
			if subtle.ConstantTimeCompare(sum[:], hash[:]) == 1 {
				found, ok = e.Caller, true
			}
		}
	}
	return found, ok
}

// Names returns the names of the callers, in the order of the entries.
func (t *Tokens) Names() []string {
	var names []string
	if entries := t.entries.Load(); entries != nil {
		for _, e := range *entries {
			names = append(names, e.Name)
		}
	}
	return names
}

// ParseRights returns the rights in a list that is separated by commas, and reports
// whether each of them exists.
func ParseRights(list string) ([]api.Right, bool) {
	var rights []api.Right
	for text := range strings.SplitSeq(list, ",") {
		right := api.Right(strings.TrimSpace(text))
		if !(Caller{Rights: api.Rights()}).May(right) || right == api.RightNone || right == api.RightAny {
			return nil, false
		}
		rights = append(rights, right)
	}
	return rights, true
}
