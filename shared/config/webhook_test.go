package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/config"
	"ace/shared/fault"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestLoad_ShowsNothingOfAWebhookButItsHost(t *testing.T) {
	for address, want := range map[string]string{
		"https://hooks.slack.com/services/T0/B0/secret": "https://hooks.slack.com/...",
		"http://10.0.0.5:8080/?key=secret":              "http://10.0.0.5:8080/...",
		"https://hooks.example.com/":                    "https://hooks.example.com",
	} {
		c := load(t, map[string]string{"ACE_WEBHOOK_URL": address, "ACE_WEBHOOK_FORMAT": "slack"})
		if c.WebhookURL.Address() != address || c.WebhookURL.String() != want {
			t.Errorf("%s is read as %s and shown as %s, want %s", address, c.WebhookURL.Address(), c.WebhookURL, want)
		}
		if all := fmt.Sprintf("%v %+v %#v %s", c, c, c, c.Dump()); strings.Contains(all, "secret\"") || strings.Contains(all, "/B0/") || strings.Contains(all, "key=") {
			t.Errorf("%s is shown in %s", address, all)
		}
	}
}

func TestLoad_RefusesAWebhookThatCannotBeUsed(t *testing.T) {
	secret := tokenFile(t, webhookSecret)
	for name, tt := range map[string]struct {
		environ map[string]string
		want    []string // parts of the error
	}{
		"no scheme":     {map[string]string{"ACE_WEBHOOK_URL": "hooks.example.com/hidden", "ACE_WEBHOOK_SECRET_FILE": secret}, []string{"ACE_WEBHOOK_URL is not shown", "http or https"}},
		"another":       {map[string]string{"ACE_WEBHOOK_URL": "file:///hidden", "ACE_WEBHOOK_SECRET_FILE": secret}, []string{"http or https"}},
		"a user":        {map[string]string{"ACE_WEBHOOK_URL": "https://hidden:hidden@example.com", "ACE_WEBHOOK_SECRET_FILE": secret}, []string{"without user"}},
		"no secret":     {map[string]string{"ACE_WEBHOOK_URL": "https://example.com/hidden"}, []string{"needs ACE_WEBHOOK_SECRET_FILE"}},
		"no file":       {map[string]string{"ACE_WEBHOOK_SECRET_FILE": "/nowhere"}, []string{"cannot be read"}},
		"no prefix":     {map[string]string{"ACE_WEBHOOK_SECRET_FILE": tokenFile(t, strings.TrimPrefix(webhookSecret, "whsec_"))}, []string{"whsec_"}},
		"short":         {map[string]string{"ACE_WEBHOOK_SECRET_FILE": tokenFile(t, "whsec_aGlkZGVu")}, []string{"24 to 64"}},
		"empty":         {map[string]string{"ACE_WEBHOOK_SECRET_FILE": tokenFile(t, "\n")}, []string{"one secret per line"}},
		"format":        {map[string]string{"ACE_WEBHOOK_FORMAT": "xml"}, []string{`"xml"`, "standard or slack"}},
		"event":         {map[string]string{"ACE_WEBHOOK_EVENTS": "differs,fails"}, []string{`"differs,fails"`, "failed"}},
		"all and one":   {map[string]string{"ACE_WEBHOOK_EVENTS": "all,differs"}, []string{"separated by commas"}},
		"misspelled":    {map[string]string{"ACE_WEBHOOK_SECRETFILE": secret}, []string{"did you mean ACE_WEBHOOK_SECRET_FILE"}},
		"a second line": {map[string]string{"ACE_WEBHOOK_SECRET_FILE": tokenFile(t, webhookSecret+"\nwhsec_aGlkZGVu\n")}, []string{"24 to 64"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(tt.environ)
			if fault.CodeOf(err) != fault.Invalid {
				t.Fatalf("got %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %q, want %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "aGlkZGVu") {
				t.Errorf("the error %q shows a secret", err)
			}
		})
	}
}

func TestReadWebhookSecrets_ReturnsOnePerLine(t *testing.T) {
	other := strings.Replace(webhookSecret, "M", "N", 1)
	c := load(t, map[string]string{"ACE_WEBHOOK_SECRET_FILE": tokenFile(t, webhookSecret+"\n\n"+other+"\n")})
	if got, err := c.ReadWebhookSecrets(); err != nil || !slices.Equal(got, []string{webhookSecret, other}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEventTypes_AreThoseThatAreConfigured(t *testing.T) {
	for text, want := range map[string][]string{
		"":                 {api.EventDiffers, api.EventFailed, api.EventRepaired, api.EventUndone},
		"matches, dry_run": {api.EventMatches, api.EventDryRun},
		"all":              api.EventTypes(),
	} {
		if got := load(t, map[string]string{"ACE_WEBHOOK_EVENTS": text}).EventTypes(); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
