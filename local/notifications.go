package main

import (
	"context"
	"sync"

	"ace/shared/config"
	"ace/shared/notify"
	"ace/shared/notify/webhook"
)

// openWebhook returns the sender to the configured webhook, or nil if none is configured.
// The caller must call the returned function at the end. It closes the sender.
func openWebhook(c config.Config) (notify.Sender, func(), error) {
	if c.WebhookURL.Address() == "" {
		return nil, func() {}, nil
	}
	secrets, err := c.ReadWebhookSecrets()
	if err != nil {
		return nil, nil, err
	}
	client, err := webhook.New(webhook.Options{
		URL: c.WebhookURL.Address(), Secrets: secrets, Slack: c.WebhookFormat == config.WebhookSlack,
	})
	if err != nil {
		return nil, nil, err
	}
	return client, client.Close, nil
}

// startNotifier sends events of tasks that have ended, in the background, until the
// returned function is called. That function waits until the last events are sent, at
// most for a short time.
func (s *service) startNotifier(ctx context.Context) (stop func()) {
	notifier := s.app.Notifier()
	if notifier == nil {
		return func() {}
	}

	// Tasks may end while the service stops, so the events are sent until stop is called.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { notifier.Run(running) })
	return func() {
		cancel()
		background.Wait()
	}
}
