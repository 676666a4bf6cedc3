// Package awslogin fetches the passwords that a cluster definition does not contain but
// refers to: secrets in AWS Secrets Manager, and tokens of RDS IAM authentication. It is
// the only package that uses these services.
//
// It caches nothing. Every connection fetches its password, so a rotated secret takes
// effect at once, and a token, which is valid for 15 minutes, is always fresh. The
// package contacts AWS only if a definition requires it. It requests a secret in the
// region of the secret. No error contains a password.
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

// Passwords fetches passwords with the AWS configuration of the environment. It is safe
// for concurrent use.
type Passwords struct {
	mu     sync.Mutex
	loaded bool
	config aws.Config
}

// New returns a Passwords. It does not contact AWS.
func New() *Passwords { return &Passwords{} }

// Password returns the current password of a target. The error is Invalid if the secret
// does not exist, if AWS denies access to it, if it contains no password, or if the
// region of a token is unknown. The error is Unavailable if AWS does not respond or
// cannot serve the request now, or if there are no AWS credentials.
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

// environment returns the AWS configuration of the environment. It loads the
// configuration at the first call. If that fails, the next call tries again.
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
		return "", fault.New(fault.Invalid, "node %q: the secret %s has no password: it must be plain text or a JSON object with the key password", target.Node, target.PasswordSecret)
	}
	return cluster.Secret(password), nil
}

// passwordIn returns the password that a secret contains. The text of a secret is either
// the password itself or a JSON object with the key password, as RDS writes it.
// passwordIn returns "" if there is no password.
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

// notRead returns the fault for err, the error of a request for the secret of target. The
// SDK has already retried the request.
func notRead(ctx context.Context, target cluster.Target, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}

	code := fault.Unavailable
	var answered smithy.APIError
	if !errors.As(err, &answered) {
		return fault.Wrap(err, code, "node %q: the secret %s cannot be read: AWS did not respond", target.Node, target.PasswordSecret)
	}

	if slices.Contains([]string{
		"AccessDeniedException", "DecryptionFailure", "InvalidParameterException", "InvalidRequestException", "ResourceNotFoundException",
	}, answered.ErrorCode()) {
		code = fault.Invalid
	}
	return fault.Wrap(err, code, "node %q: the secret %s cannot be read: %s", target.Node, target.PasswordSecret, answered.ErrorCode())
}

// token returns a token of RDS IAM authentication, which serves as the password. A token
// is only a signature, so creating one sends no request to RDS. RDS checks the
// permissions when the token is used.
func token(ctx context.Context, c aws.Config, target cluster.Target) (cluster.Secret, error) {
	region := regionOf(target.Host)
	if region == "" {
		region = c.Region
	}
	if region == "" {
		return "", fault.New(fault.Invalid, "node %q: rds_iam needs the host name of the RDS endpoint, or AWS_REGION", target.Node)
	}
	address := net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port)))
	text, err := auth.BuildAuthToken(ctx, address, region, target.User, c.Credentials)
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "node %q: there are no AWS credentials to sign a token of RDS", target.Node)
	}
	return cluster.Secret(text), nil
}

// regionOf returns the region in the host name of an RDS endpoint such as
// name.id.eu-central-1.rds.amazonaws.com, or "" for another host name.
func regionOf(host string) string {
	labels := strings.Split(host, ".")
	if at := slices.Index(labels, "rds"); at > 0 && at+1 < len(labels) && labels[at+1] == "amazonaws" {
		return labels[at-1]
	}
	return ""
}
