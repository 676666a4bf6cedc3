package page

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// formValid is how long a form can be sent after its page was shown.
const formValid = 12 * time.Hour

// csrf creates and checks the tokens of forms. A token is a time and its HMAC under a key
// of the process. Only a page of this service can read a token, because no page of
// another origin can read an answer. Therefore a token needs no cookie: a client that has
// one can read pages, and may also send forms.
type csrf struct{ key []byte }

func newCSRF() csrf {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return csrf{key}
}

// token returns a token for the forms of a page.
func (c csrf) token(now time.Time) string {
	stamp := strconv.FormatInt(now.Unix(), 36)
	return stamp + "." + c.sign(stamp)
}

// valid reports whether a token was created by this process, less than formValid ago.
func (c csrf) valid(token string, now time.Time) bool {
	stamp, sum, _ := strings.Cut(token, ".")
	seconds, err := strconv.ParseInt(stamp, 36, 64)
	if err != nil || !hmac.Equal([]byte(sum), []byte(c.sign(stamp))) {
		return false
	}
	age := now.Sub(time.Unix(seconds, 0))
	return age > -time.Minute && age < formValid
}

func (c csrf) sign(stamp string) string {
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(stamp))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
