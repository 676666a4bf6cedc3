// Package awslogin asks AWS for the passwords that a cluster definition only names: secrets of Secrets Manager, and the
// tokens by which RDS lets a role log in. It is the only package that knows these services.
//
// Nothing is kept: every connection asks anew, so a rotated secret is used at once, and a token, which is good for a
// quarter of an hour, is always fresh. AWS is contacted in the secret's own region, and only when a definition asks for it.
// No password reaches an error.
package awslogin

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"ace/shared/cluster"
	"ace/shared/fault"
)

// Passwords finds passwords with the AWS configuration of the environment.
type Passwords struct {
	mu     sync.Mutex
	loaded bool
	config aws.Config
}

// New makes a finder of passwords. It contacts nobody yet.
func New() *Passwords { return &Passwords{} }

// Password gives the password of a target now. Errors: Invalid for a secret that does not exist, may not be read or holds no
// password, Unavailable when AWS does not answer.
func (p *Passwords) Password(ctx context.Context, target cluster.Target) (cluster.Secret, error) {
	c, err := p.environment(ctx)
	if err != nil {
		return "", err
	}
	if target.RDSIAM {
		return token(ctx, c, target)
	}
	return fromSecret(ctx, c, target)
}

// environment reads the configuration when it is first needed, and again as long as that fails.
func (p *Passwords) environment(ctx context.Context) (aws.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loaded {
		return p.config, nil
	}
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return aws.Config{}, fault.Wrap(err, fault.Unavailable, "the AWS configuration cannot be read")
	}
	p.config, p.loaded = c, true
	return c, nil
}

func fromSecret(ctx context.Context, c aws.Config, target cluster.Target) (cluster.Secret, error) {
	client := secretsmanager.NewFromConfig(c, func(o *secretsmanager.Options) {
		o.Region = cluster.SecretRegion(target.PasswordSecret)
	})
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(target.PasswordSecret)})
	if err != nil {
		return "", notRead(ctx, target, err)
	}
	password := passwordIn(aws.ToString(out.SecretString))
	if password == "" {
		return "", fault.New(fault.Invalid, "node %q: the secret %s holds neither a password as plain text nor a JSON object with one", target.Node, target.PasswordSecret)
	}
	return cluster.Secret(password), nil
}

// passwordIn reads a secret: one of RDS, a JSON object with a password, or the password itself. "" is none.
func passwordIn(text string) string {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return text
	}
	var object struct {
		Password string `json:"password"`
	}
	if json.Unmarshal([]byte(text), &object) != nil {
		return text // a password may begin with a brace
	}
	return object.Password
}

// notRead says why a secret was not read. The SDK has tried again already.
func notRead(ctx context.Context, target cluster.Target, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	code := fault.Unavailable
	var told smithy.APIError
	if !errors.As(err, &told) {
		return fault.Wrap(err, code, "node %q: the secret %s cannot be read: no answer", target.Node, target.PasswordSecret)
	}
	if slices.Contains([]string{
		"AccessDeniedException", "DecryptionFailure", "InvalidParameterException", "InvalidRequestException", "ResourceNotFoundException",
	}, told.ErrorCode()) {
		code = fault.Invalid
	}
	return fault.Wrap(err, code, "node %q: the secret %s cannot be read: %s", target.Node, target.PasswordSecret, told.ErrorCode())
}

// token makes a token of RDS. That takes only a signature: RDS looks at the rights when it is used.
func token(ctx context.Context, c aws.Config, target cluster.Target) (cluster.Secret, error) {
	region := regionOf(target.Host)
	if region == "" {
		region = c.Region
	}
	if region == "" {
		return "", fault.New(fault.Invalid, "node %q: rds_iam needs the host name that RDS gave it, or AWS_REGION", target.Node)
	}
	address := net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port)))
	text, err := auth.BuildAuthToken(ctx, address, region, target.User, c.Credentials)
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "node %q: there are no AWS credentials to sign a token of RDS with", target.Node)
	}
	return cluster.Secret(text), nil
}

// regionOf gives the region in a host name of RDS, like name.id.eu-central-1.rds.amazonaws.com, "" if it is none.
func regionOf(host string) string {
	labels := strings.Split(host, ".")
	if at := slices.Index(labels, "rds"); at > 0 && at+1 < len(labels) && labels[at+1] == "amazonaws" {
		return labels[at-1]
	}
	return ""
}
