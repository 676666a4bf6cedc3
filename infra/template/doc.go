// Package template reads template.yaml, so that tests can compare it with the code: the
// functions it deploys, their environment, what their roles may do, and the routes that
// lead to them. It is not a general SAM parser: it supports only the forms that this
// template uses.
package template
