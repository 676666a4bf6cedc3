// Package lambdax serves a Mux as a Lambda function behind an API Gateway HTTP API or a function URL. Both send the
// same event format (payload 2.0) and understand the same answer, so there is one handler.
//
// A function cannot answer with more than 6 MB: a download is a redirect to a presigned URL.
package lambdax
