// Package lambdax serves a Mux as a Lambda function for an API Gateway HTTP API or a
// function URL. Both use the same format of events and responses (payload 2.0), so there
// is one handler.
//
// The response of a function is limited to 6 MB, so a download is a redirect to a
// presigned URL.
package lambdax
