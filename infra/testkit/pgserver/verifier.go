package pgserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
)

// rounds of SCRAM that a password takes. They make guessing slow, and each of a test's
// many connections too: with PostgreSQL's 4096 a client computes longer than everything
// else takes together.
const rounds = 1

// verifier is what PostgreSQL keeps of a password, to be given in its place (RFC 5803).
func verifier(password string) string {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)                                                   // never fails
	salted := mac([]byte(password), slices.Concat(salt, []byte{0, 0, 0, 1})) // PBKDF2 with one round
	stored := sha256.Sum256(mac(salted, []byte("Client Key")))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, encode(salt), encode(stored[:]), encode(mac(salted, []byte("Server Key"))))
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}
