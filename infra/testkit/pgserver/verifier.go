package pgserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
)

// rounds is the number of SCRAM iterations for a password. Many iterations make it slow
// to guess a password, but also to connect: with PostgreSQL's default of 4096, a test
// would spend most of the time of a connection on them.
const rounds = 1

// verifier returns the SCRAM verifier of a password, which PostgreSQL stores (RFC 5803)
// and accepts instead of the password.
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
