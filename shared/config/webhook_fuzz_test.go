package config_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ace/shared/config"
	"ace/shared/fault"
)

// The secrets of a webhook are read completely or refused, and the error shows nothing of
// the file.
func FuzzWebhookSecrets(f *testing.F) {
	f.Add(webhookSecret + "\n")
	f.Add(webhookSecret + "\r\n" + webhookSecret)
	f.Add("whsec_\n")
	f.Add("whsec_" + strings.Repeat("A", 200))
	f.Add("\x00whsec_=")
	path := filepath.Join(f.TempDir(), "secrets")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		secrets, err := config.Config{WebhookSecretFile: path}.ReadWebhookSecrets()
		if err != nil {
			if fault.CodeOf(err) != fault.Invalid || len(secrets) > 0 {
				t.Errorf("%q returns %q, %v, want an Invalid fault", text, secrets, err)
			}
			if hidden := strings.TrimSpace(text); len(hidden) > 20 && strings.Contains(err.Error(), hidden) {
				t.Errorf("the error shows the file: %v", err)
			}
			return
		}
		if len(secrets) != len(strings.Fields(text)) || len(secrets) == 0 {
			t.Errorf("%q has the secrets %q", text, secrets)
		}
		for _, secret := range secrets {
			key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
			if err != nil || !strings.HasPrefix(secret, "whsec_") || len(key) < 24 || len(key) > 64 {
				t.Errorf("%q is accepted as a secret", secret)
			}
		}
	})
}
