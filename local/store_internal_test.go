package main

import (
	"testing"

	"ace/shared/fault"
	"ace/shared/invoke"
)

func TestStarter_AcceptsNoTaskWhileTheStoreAcceptsNoWrites(t *testing.T) {
	t.Parallel()
	var failure error
	s := starter{invoke.NewQueue(1, 1, nil), func() error { return failure }}
	defer s.Close()
	if err := s.Accepts(); err != nil {
		t.Error(err)
	}
	failure = fault.New(fault.Unavailable, "a sync failed")
	if err := s.Accepts(); err != failure { //nolint:errorlint // the same error
		t.Errorf("got %v, want %v", err, failure)
	}
	failure = nil
	s.Close()
	if err := s.Accepts(); err == nil {
		t.Error("it accepts tasks after its end")
	}
}
