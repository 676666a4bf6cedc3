// Command sweeper is the function that starts tasks which nobody runs. It has no route: a schedule invokes it.
package main

import (
	"context"
	"log"

	"github.com/aws/aws-lambda-go/lambda"

	"ace/shared/app/function"
)

func main() {
	f, err := function.New(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(f.Sweep)
}
