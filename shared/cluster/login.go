package cluster

import (
	"slices"
	"strings"

	"ace/shared/fault"
)

// Login is what a definition says of the password: at most one of these. If there is none, the password file is asked.
type Login struct {
	Password       Secret
	PasswordSecret string // ARN of a secret of AWS Secrets Manager that holds it
	RDSIAM         bool   // a token that RDS takes from those who have the right to log in
}

// Resolved says whether the password is not in the definition, but must be asked for when a connection is made.
func (l Login) Resolved() bool { return l.PasswordSecret != "" || l.RDSIAM }

func (l Login) given() bool { return l.Password != "" || l.Resolved() }

// or gives the login of a node, which as a whole overrides that of the database.
func (l Login) or(database Login) Login {
	if l.given() {
		return l
	}
	return database
}

// check allows one way to log in, and no ARN of anything but a secret. owner is who has it.
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

// SecretRegion gives the region in a secret's ARN, "" if it is none.
func SecretRegion(arn string) string {
	parts := strings.SplitN(arn, ":", 7) // arn:partition:secretsmanager:region:account:secret:name
	if len(parts) != 7 || parts[0] != "arn" || parts[2] != "secretsmanager" || parts[5] != "secret" || slices.Contains(parts, "") || hasNUL(arn) {
		return ""
	}
	return parts[3]
}

// isEncrypted says whether a connection in this sslmode never goes unencrypted.
func isEncrypted(mode string) bool {
	return slices.Contains([]string{"require", "verify-ca", "verify-full"}, mode)
}
