package fanout_test

import (
	"context"
	"strings"
	"testing"

	"ace/shared/fanout"
	"ace/shared/fault"
)

func TestMap_APanicIsAnErrorAndCancelsTheRest(t *testing.T) {
	_, err := fanout.Map(t.Context(), 2, []int{1, 2}, func(ctx context.Context, n int) (int, error) {
		if n == 1 {
			return []int{}[n], nil
		}
		<-ctx.Done()
		return n, nil
	})
	if err == nil || fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), "index out of range") {
		t.Errorf("a call that panics: %v, want an Internal error with the reason", err)
	}
}
