package config

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/private"
)

// The formats of a webhook's body.
const (
	WebhookStandard = "standard"
	WebhookSlack    = "slack"
)

// The length of a webhook's secret in bytes, as the Standard Webhooks specification
// defines it.
const (
	minWebhookSecret = 24
	maxWebhookSecret = 64
)

const (
	eventPrefix         = "task."
	allEvents           = "all"
	webhookSecretPrefix = "whsec_"
)

// WebhookURL is the address of a webhook. Its path and query may be a secret, as in the
// addresses of Slack, so String leaves them out.
type WebhookURL string

// UnmarshalText parses an http or https URL.
func (w *WebhookURL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "" || parsed.User != nil || parsed.Fragment != "" {
		return errors.New("not an http or https URL")
	}
	*w = WebhookURL(text)
	return nil
}

// Address returns the whole URL, or "" if none is configured.
func (w WebhookURL) Address() string { return string(w) }

// String returns the scheme and host of the URL, followed by /... in place of its path
// and query.
func (w WebhookURL) String() string {
	parsed, err := url.Parse(string(w))
	if err != nil || w == "" {
		return ""
	}
	origin := parsed.Scheme + "://" + parsed.Host
	if parsed.RequestURI() == "/" {
		return origin
	}
	return origin + "/..."
}

// GoString returns what String returns, so that the format %#v shows no secret either.
func (w WebhookURL) GoString() string { return w.String() }

// EventTypes returns the types of the events that are sent to the webhook, such as
// task.differs.
func (c Config) EventTypes() []string {
	if slices.Equal(c.WebhookEvents, []string{allEvents}) {
		return api.EventTypes()
	}
	var found []string
	for _, name := range c.WebhookEvents {
		found = append(found, eventPrefix+strings.TrimSpace(name))
	}
	return found
}

// ReadWebhookSecrets returns the secrets that sign requests to the webhook, in the form
// whsec_<base64>, in the order of the lines of their file. It returns none if no file is
// configured.
func (c Config) ReadWebhookSecrets() ([]string, error) {
	if c.WebhookSecretFile == "" {
		return nil, nil
	}
	data, err := private.Secret(c.WebhookSecretFile)
	if fault.CodeOf(err) == fault.Invalid {
		return nil, fault.New(fault.Invalid, "ACE_WEBHOOK_SECRET_FILE is refused: %s", fault.PublicMessage(err))
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "ACE_WEBHOOK_SECRET_FILE is %q, which cannot be read: %v", c.WebhookSecretFile, err)
	}

	secrets := strings.Fields(string(data))
	if len(secrets) == 0 || slices.ContainsFunc(secrets, isNoWebhookSecret) {
		return nil, fault.New(fault.Invalid, "ACE_WEBHOOK_SECRET_FILE is %q, which must contain one secret per line: whsec_ and the base64 of %d to %d random bytes",
			c.WebhookSecretFile, minWebhookSecret, maxWebhookSecret)
	}
	return secrets, nil
}

func isNoWebhookSecret(text string) bool {
	encoded, found := strings.CutPrefix(text, webhookSecretPrefix)
	secret, err := base64.StdEncoding.DecodeString(encoded)
	return !found || err != nil || len(secret) < minWebhookSecret || len(secret) > maxWebhookSecret
}

// checkWebhook checks the variables of the webhook. It calls note with the result of each
// check, the name of the variable and the message for a failed check.
func (c Config) checkWebhook(environ map[string]string, note func(ok bool, name, text string)) {
	format := "ACE_WEBHOOK_FORMAT"
	note(slices.Contains([]string{WebhookStandard, WebhookSlack}, c.WebhookFormat), format, notAllowed(format, c.WebhookFormat))

	events := "ACE_WEBHOOK_EVENTS"
	for _, eventType := range c.EventTypes() {
		note(api.IsEventType(eventType), events, notAllowed(events, environ[events]))
	}

	if c.WebhookSecretFile != "" {
		_, err := c.ReadWebhookSecrets()
		note(err == nil, "ACE_WEBHOOK_SECRET_FILE", fault.PublicMessage(err))
	}
	note(c.WebhookURL.Address() == "" || c.WebhookSecretFile != "" || c.WebhookFormat == WebhookSlack, "ACE_WEBHOOK_URL",
		"ACE_WEBHOOK_URL needs ACE_WEBHOOK_SECRET_FILE, so that the receiver can verify who sent a request; only ACE_WEBHOOK_FORMAT=slack needs none")
}
