// Package webhook sends events to one HTTP address, as POST requests with a JSON body. It
// implements notify.Sender.
//
// The requests are signed as the Standard Webhooks specification defines. The address and
// the secrets are those of the configuration. A redirect is never followed: the address
// that it names is not configured. Errors contain neither the path nor the query of the
// address, because they may be a secret, as in the addresses of Slack.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/retry"
)

// Options are the options of New.
type Options struct {
	URL string // an http or https URL
	// Secrets sign the requests, in the form whsec_<base64>. With several secrets, a
	// request has one signature for each, so that a receiver can replace one secret by
	// another at any time. No secret means no signature.
	Secrets []string
	Slack   bool // send {"text": ...} instead of the event
}

// Client sends events. It is safe for concurrent use. The caller must call Close.
type Client struct {
	url     *url.URL
	signers []*standardwebhooks.Webhook
	slack   bool
	http    *http.Client
}

const (
	connectTimeout = 5 * time.Second
	idleTimeout    = 30 * time.Second
	maxReason      = 200 // maximum number of bytes of an answer that an error shows
)

// New returns a client. The error is Invalid if an option is wrong.
func New(o Options) (*Client, error) {
	address, err := url.Parse(o.URL)
	if err != nil || address.Host == "" {
		return nil, fault.New(fault.Invalid, "the address of the webhook is no URL")
	}
	c := &Client{url: address, slack: o.Slack}
	for _, secret := range o.Secrets {
		signer, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return nil, fault.New(fault.Invalid, "a secret of the webhook is not base64")
		}
		c.signers = append(c.signers, signer)
	}

	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSHandshakeTimeout:    connectTimeout,
			IdleConnTimeout:        idleTimeout,
			MaxIdleConns:           1,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Send implements notify.Sender. Any status from 200 to 299 means that the event was
// accepted.
func (c *Client) Send(ctx context.Context, event api.Event) error {
	request, err := c.request(ctx, event)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.notReached(err)
	}
	defer response.Body.Close()
	reason, _ := io.ReadAll(io.LimitReader(response.Body, maxReason)) // for the message of an error; a failed read leaves it empty or incomplete
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return nil
	}
	return c.refused(response, reason)
}

// request returns the signed request for an event.
func (c *Client) request(ctx context.Context, event api.Event) (*http.Request, error) {
	var content any = event
	if c.slack {
		content = slackMessage{Text: Text(event)}
	}
	body, err := json.Marshal(content)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "the event cannot be encoded")
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.New(fault.Internal, "no request can be made to the address of the webhook")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "ACE")
	return request, c.sign(request, event.ID, body)
}

// sign adds the headers of the Standard Webhooks specification. The time is that of this
// attempt, so that a receiver can refuse old requests that someone else sends again.
func (c *Client) sign(request *http.Request, id string, body []byte) error {
	now := time.Now()
	request.Header.Set(standardwebhooks.HeaderWebhookID, id)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	var signatures []string
	for _, signer := range c.signers {
		signature, err := signer.Sign(id, now, body)
		if err != nil {
			return fault.New(fault.Internal, "the event cannot be signed")
		}
		signatures = append(signatures, signature)
	}
	if len(signatures) > 0 {
		request.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	}
	return nil
}

// notReached returns the fault for a request without an answer. The text of a url.Error
// would contain the address.
func (c *Client) notReached(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	reason := err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		reason = "no answer in time"
	case errors.Is(err, context.Canceled):
		reason = "ACE stopped before the answer"
	}
	return fault.New(fault.Unavailable, "the webhook at %s cannot be reached: %s", c.origin(), reason)
}

// refused returns the fault for an answer with another status than 2xx. It is Unavailable
// if the receiver is overloaded or broken, and Invalid if it refuses this event.
func (c *Client) refused(response *http.Response, reason []byte) error {
	text := fmt.Sprintf("the webhook at %s answered %d", c.origin(), response.StatusCode)
	if len(reason) > 0 {
		text += fmt.Sprintf(" %q", strings.TrimSpace(string(reason)))
	}
	switch code := response.StatusCode; {
	case code >= 300 && code < 400:
		return fault.New(fault.Invalid, "%s, a redirect, which is not followed; configure the address to which it leads", text)
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return retry.WithDelay(fault.New(fault.Unavailable, "%s", text), response.Header.Get("Retry-After"))
	default:
		return fault.New(fault.Invalid, "%s", text)
	}
}

// origin returns the scheme and host of the address.
func (c *Client) origin() string { return c.url.Scheme + "://" + c.url.Host }
