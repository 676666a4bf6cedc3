package function

import (
	"context"
	"log"

	"github.com/aws/aws-lambda-go/lambda"
)

// ServeAPI answers API events for the life of the process. Every function that has a
// route calls it, so each function can answer every path. The routes in template.yaml
// determine which function receives the requests for a path.
func ServeAPI() {
	f := must(New(context.Background()))
	lambda.Start(must(f.Handler()))
}

// ServeTasks runs the tasks that its invocations name.
func ServeTasks() { lambda.Start(must(NewRunner(context.Background())).RunTask) }

// ServeUnits does the units of work that it is invoked with.
func ServeUnits() { lambda.Start(must(New(context.Background())).DoUnit) }

// ServeSweep sweeps the open tasks whenever it is invoked.
func ServeSweep() { lambda.Start(must(New(context.Background())).Sweep) }

// must returns value. If err is not nil, it logs err and ends the process, and Lambda
// starts another process.
func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
