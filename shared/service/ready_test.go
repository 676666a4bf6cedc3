package service_test

import (
	"testing"
	"testing/synctest"
	"time"

	"ace/infra/testkit/faulty"
	"ace/shared/api"
	"ace/shared/fault"
)

func TestReady_NeedsTheStoreAndASlotInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for _, tt := range []struct {
			name  string
			store faulty.Outcome
			full  error
			want  string // the error
			took  time.Duration
		}{
			{name: "ready"},
			{name: "the store fails", store: faulty.FailBefore, want: "not ready: the archive failed on purpose: Stat"},
			{name: "the store is silent", store: faulty.Hang, want: "not ready: the store did not answer within 2s", took: 2 * time.Second},
			{name: "the queue is full", full: fault.New(fault.Unavailable, "the queue is full"), want: "not ready: the queue is full"},
			{name: "ready again"},
		} {
			time.Sleep(1100 * time.Millisecond) // the previous answer is not used any more
			b.store.Heal()
			b.store.On(faulty.Stat, "tasks/", faulty.Always(tt.store))
			b.starter.full = tt.full
			before, began := b.store.Count(faulty.Any, ""), time.Now()
			for range 5 {
				answer, err := b.Ready(t.Context(), api.HealthRequest{})
				if tt.want == "" {
					if err != nil || answer.Status != "ok" {
						t.Errorf("%s: %+v, %v", tt.name, answer, err)
					}
				} else if got := fault.PublicMessage(err); fault.CodeOf(err) != fault.Unavailable || len(got) < len(tt.want) || got[:len(tt.want)] != tt.want {
					t.Errorf("%s: %s %v, want %s", tt.name, fault.CodeOf(err), err, tt.want)
				}
			}
			if calls, took := b.store.Count(faulty.Any, "")-before, time.Since(began); calls != 1 || took != tt.took {
				t.Errorf("%s: %d calls of the store in %s, want 1 in %s", tt.name, calls, took, tt.took)
			}
		}
	})
}
