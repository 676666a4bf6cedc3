// Command blockworker is the function that does one unit of work. It has no route: the task runner invokes it.
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
	lambda.Start(f.DoUnit)
}
