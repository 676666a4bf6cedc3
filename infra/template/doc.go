// Package template reads template.yaml, so that tests can compare it with the code: the
// functions it deploys, their environment, what their roles may do, and the routes that
// lead to them. It knows the few forms that our template uses and is no SAM parser.
package template
