package cluster_test

import (
	"slices"
	"testing"

	"ace/shared/cluster"
)

// Every parameter is either shown to users or listed here with a reason.
func TestPublicOptions_OmitSecretsOnly(t *testing.T) {
	hidden := map[string]string{
		"host": "a field of its own", "port": "a field of its own", "dbname": "a field of its own", "user": "not shown",
		"password": "a secret", "sslpassword": "a secret", "options": "may set a secret of an extension",
	}
	options := map[string]string{}
	for _, parameter := range cluster.Parameters() {
		if parameter.Use == cluster.Used {
			options[parameter.Name] = "x"
		}
	}
	public := cluster.PublicOptions(options)
	for name := range options {
		if _, shown := public[name]; shown == (hidden[name] != "") {
			t.Errorf("%s is shown: %t", name, shown)
		}
	}
	for name := range public {
		if slices.Contains([]string{"password", "sslpassword", "options"}, name) {
			t.Errorf("%s is shown", name)
		}
	}
}
