// Package config converts environment variables to one typed value, the Config. It is the
// only package that knows the names of the variables.
//
// Load reports all problems together, one line for each variable: its name, its value and
// what is allowed. A Config contains no secret except in WebhookURL, whose method String
// leaves the secret out. The other secrets are not in the environment: ReadToken and
// ReadWebhookSecrets read them from files, and the credentials of the object store come
// from the standard AWS chain. Load reads the variables from a map that the caller
// passes, so the caller can override variables with flags.
package config
