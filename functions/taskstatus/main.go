// Command taskstatus is the function behind /ace/task-status, /ace/task-cancel and /ace/tasks, and every path that is none.
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
