package fanout_test

import (
	"context"
	"strings"
	"testing"

	"ace/shared/fanout"
	"ace/shared/fault"
)

func TestMap_APanicIsAnErrorAndEndsTheRest(t *testing.T) {
	_, err := fanout.Map(t.Context(), 2, []int{1, 2}, func(ctx context.Context, n int) (int, error) {
		if n == 1 {
			var none map[int]int
			none[n] = n
		}
		<-ctx.Done()
		return n, nil
	})
	if err == nil || fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), "nil map") {
		t.Errorf("a call that panics gives %v, want an Internal error that says why", err)
	}
}
