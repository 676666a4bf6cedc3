// Package config converts environment variables to one typed value, the Config. It is the
// only package that knows the names of the variables.
//
// Load reports all problems together, one line for each variable: its name, its value and
// what is allowed. A Config contains no secret except in WebhookURL, whose String leaves
// it out: ReadToken and ReadWebhookSecrets read secrets from their files, and the
// credentials of the object store are read from the standard AWS chain. The environment
// is a map that the caller passes, so the caller can override variables with flags.
package config
