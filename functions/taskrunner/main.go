// Command taskrunner is the function that runs one task. It has no route: submissions, the sweep and itself invoke it.
package main

import (
	"context"
	"log"

	"github.com/aws/aws-lambda-go/lambda"

	"ace/shared/app/function"
)

func main() {
	f, err := function.NewRunner(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(f.RunTask)
}
