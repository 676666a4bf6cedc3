//go:build !unit

package awslogin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/cluster/awslogin"
	"ace/shared/fault"
	"ace/shared/pg"
	"ace/shared/table"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const arn = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:ace-AbCdEf"

// vault is a Secrets Manager with one secret. Clients reach it through the endpoint of
// the environment.
type vault struct {
	mu     sync.Mutex
	secret string
	status int    // the HTTP status of every response; 0 means that the request is answered
	kind   string // the type of the error in the response, if status is not 0
	asked  int
	scope  string // the header of the last request, with the region for which it was signed
}

func (v *vault) set(secret string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secret = secret
}

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	v.scope = r.Header.Get("Authorization")
	body, _ := io.ReadAll(r.Body)
	var in struct {
		ID string `json:"SecretId"`
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch {
	case v.status != 0:
		w.WriteHeader(v.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": v.kind, "message": "no"})
	case json.Unmarshal(body, &in) != nil, in.ID != arn, r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue":
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "InvalidRequestException"})
	default:
		_ = json.NewEncoder(w).Encode(map[string]string{"ARN": arn, "SecretString": v.secret})
	}
}

// open starts the vault and sets the environment to use it.
func (v *vault) open(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(v)
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.URL)
	environment(t)
}

func environment(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
		"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
	} {
		t.Setenv(name, value)
	}
}

func withSecret() cluster.Target {
	return cluster.Target{Node: "n1", Login: cluster.Login{PasswordSecret: arn}}
}

func TestPassword_IsReadFromASecretInItsRegion(t *testing.T) {
	v := &vault{}
	v.open(t)
	passwords := awslogin.New()
	for secret, want := range map[string]string{
		"plain text":                         "plain text",
		`{"username": "x","password":"p w"}`: "p w",
		"{not json":                          "{not json",
	} {
		v.set(secret)
		got, err := passwords.Password(t.Context(), withSecret())
		if err != nil || got.Reveal() != want {
			t.Errorf("%s returned %q, %v", secret, got.Reveal(), err)
		}
	}
	if !strings.Contains(v.scope, "/eu-west-3/secretsmanager/aws4_request") {
		t.Errorf("the request was signed for %s", v.scope)
	}
}

func TestPassword_ReportsWhyThereIsNone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		vault *vault
		code  fault.Code
		want  string
	}{
		{"not allowed", &vault{status: 400, kind: "AccessDeniedException"}, fault.Invalid, "cannot be read: AccessDeniedException"},
		{"no secret", &vault{status: 400, kind: "ResourceNotFoundException"}, fault.Invalid, "cannot be read: ResourceNotFoundException"},
		{"trouble", &vault{status: 500, kind: "InternalServiceError"}, fault.Unavailable, "cannot be read: InternalServiceError"},
		{"no password in it", &vault{secret: `{"user": "hunter3"}`}, fault.Invalid, "has no password: it must be plain text or a JSON object with the key password"},
		{"empty", &vault{}, fault.Invalid, "has no password: it must be plain text or a JSON object with the key password"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.vault.open(t)
			_, err := awslogin.New().Password(t.Context(), withSecret())
			message := fault.PublicMessage(err)
			if want := `node "n1": the secret ` + arn + " " + tt.want; fault.CodeOf(err) != tt.code || message != want {
				t.Errorf("got %s %s, want %s %s", fault.CodeOf(err), message, tt.code, want)
			}
		})
	}
}

func TestPassword_IsATokenOfRDSForTheRegionOfTheHost(t *testing.T) {
	environment(t)
	for host, region := range map[string]string{
		"db.abcdef.eu-central-1.rds.amazonaws.com":  "eu-central-1",
		"db.abcdef.cn-north-1.rds.amazonaws.com.cn": "cn-north-1",
		"10.0.0.7": "us-east-1",
		"rds":      "us-east-1",
	} {
		got, err := awslogin.New().Password(t.Context(), cluster.Target{
			Node: "n1", Host: host, Port: 5433, User: "ace", Login: cluster.Login{RDSIAM: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		token, err := url.Parse("https://" + got.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		query := token.Query()
		if token.Host != host+":5433" || query.Get("Action") != "connect" || query.Get("DBUser") != "ace" ||
			!strings.HasSuffix(query.Get("X-Amz-Credential"), "/"+region+"/rds-db/aws4_request") {
			t.Errorf("the token for %s is %s", host, got.Reveal())
		}
	}
}

func TestPassword_ARotatedSecretIsUsedByTheNextConnection(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	role := "rotated_" + c.DB
	c.Exec(t, 0, `CREATE ROLE "`+role+`" LOGIN PASSWORD 'first'`)
	t.Cleanup(func() { c.Exec(t, 0, `DROP ROLE "`+role+`"`) })
	v := &vault{secret: "first"}
	v.open(t)
	node := c.Nodes[0]
	target := cluster.Target{
		Node: node.Name, Host: node.Host, Port: uint16(node.Port), Database: c.DB, User: role,
		Login: cluster.Login{PasswordSecret: arn}, Options: map[string]string{"sslmode": "disable"},
	}
	connect := func(passwords pg.Passwords) error {
		pools := pg.NewPools(pg.Options{MaxConns: 1, Passwords: passwords})
		defer pools.Close()
		n, err := pools.Node(target)
		if err != nil {
			return err
		}
		tx, err := n.Begin(t.Context(), table.Access{SearchPath: "pg_catalog"})
		if err == nil {
			tx.Close()
		}
		return err
	}
	passwords := awslogin.New()
	if err := connect(passwords); err != nil {
		t.Error(err)
	}
	c.Exec(t, 0, `ALTER ROLE "`+role+`" PASSWORD 'second'`)
	if err := connect(passwords); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), "password authentication failed") {
		t.Errorf("the old password: %v", err)
	}
	v.set(`{"password": "second"}`)
	if err := connect(passwords); err != nil {
		t.Error(err)
	}
	if err := connect(nil); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("without AWS: %v", err)
	}
}
