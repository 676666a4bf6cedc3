// Command archive is the function behind /ace/diffs, /ace/reports and /ace/before-images: it lists documents, gives them out, also
// as CSV and HTML, and takes them in.
package main

import (
	"context"
	"log"

	"github.com/aws/aws-lambda-go/lambda"

	"ace/shared/app/function"
	"ace/shared/endpoint/lambdax"
)

func main() {
	f, err := function.New(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	mux, err := f.Mux()
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(lambdax.Handler(mux))
}
