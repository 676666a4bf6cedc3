package cluster

import (
	"slices"
	"strings"

	"ace/shared/fault"
)

// Login determines how the password of a connection is obtained. At most one field is
// set. If none is set, the password is read from the password file.
type Login struct {
	Password       Secret
	PasswordSecret string // ARN of a secret in AWS Secrets Manager
	RDSIAM         bool   // the password is a token of RDS IAM authentication
}

// Resolved reports whether the password must be fetched from AWS for each connection.
func (l Login) Resolved() bool { return l.PasswordSecret != "" || l.RDSIAM }

func (l Login) given() bool { return l.Password != "" || l.Resolved() }

// or returns l, the login of a node, if it determines a password, and otherwise the login
// of the database.
func (l Login) or(database Login) Login {
	if l.given() {
		return l
	}
	return database
}

// check returns an error if several fields are set, or if PasswordSecret is not the ARN
// of a secret. In errors, where names the file, and owner the database or node.
func (l Login) check(where, owner string) error {
	ways := 0
	for _, given := range []bool{l.Password != "", l.PasswordSecret != "", l.RDSIAM} {
		if given {
			ways++
		}
	}

	if ways > 1 {
		return fault.New(fault.Invalid, "%s: %s has several ways to log in; set only one of db_password, db_password_secret and rds_iam", where, owner)
	}

	if l.PasswordSecret != "" && SecretRegion(l.PasswordSecret) == "" {
		return fault.New(fault.Invalid, "%s: db_password_secret of %s is %.200q; it must be an ARN such as "+
			"arn:aws:secretsmanager:eu-central-1:123456789012:secret:ace-AbCdEf", where, owner, l.PasswordSecret)
	}
	return nil
}

// SecretRegion returns the region in a secret's ARN, or "" if arn is not the ARN of a
// secret.
func SecretRegion(arn string) string {
	parts := strings.SplitN(arn, ":", 7) // an ARN is arn:partition:secretsmanager:region:account:secret:name
	if len(parts) != 7 || parts[0] != "arn" || parts[2] != "secretsmanager" || parts[5] != "secret" || slices.Contains(parts, "") || hasNUL(arn) {
		return ""
	}
	return parts[3]
}

// isEncrypted reports whether connections with this sslmode are always encrypted.
func isEncrypted(mode string) bool {
	return slices.Contains([]string{"require", "verify-ca", "verify-full"}, mode)
}
