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

// csrf creates and checks the tokens of forms. A token is the time at which it was
// created and the HMAC of that time, under a key of this process. A page of another
// origin cannot read a token, because browsers do not let it read the answers of this
// service. A client that has a token can read this service's pages, so it may also send
// forms. No cookie is needed.
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

// valid reports whether a token was created by this process less than formValid ago. It
// also accepts a token from less than a minute in the future, in case the clock was set
// back.
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
