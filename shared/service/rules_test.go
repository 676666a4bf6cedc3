package service_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"ace/infra/testkit/faulty"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
)

const someRules = "version: 1\nrules:\n  - {when: {kind: missing}, take: union}\n"

func TestAddRules_StoresADocumentUnderItsSHA256Once(t *testing.T) {
	b := newBench(t)
	for range 2 {
		got, err := b.AddRules(t.Context(), api.AddRulesRequest{}, strings.NewReader(someRules))
		if want := (api.AddedRules{Rules: hash(someRules), Size: int64(len(someRules)), Count: 1}); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	got, err := b.Rules(t.Context(), api.RulesRequest{Rules: hash(someRules)})
	if want := (api.Rules{Rules: hash(someRules), Document: someRules}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if keys := b.objects(t, "rules/"); len(keys) != 1 {
		t.Errorf("stored are %v", keys)
	}
}

func TestAddRules_StoresNothingOfAnInvalidDocument(t *testing.T) {
	b := newBench(t)
	for name, tt := range map[string]struct {
		body io.Reader
		code fault.Code
	}{
		"empty":                  {strings.NewReader(""), fault.Invalid},
		"a mistake":              {strings.NewReader(strings.Replace(someRules, "union", "merge", 1)), fault.Invalid},
		"more than is allowed":   {io.MultiReader(strings.NewReader(someRules), failing{fault.New(fault.TooLarge, "the request body is too large")}), fault.TooLarge},
		"a client that went off": {io.MultiReader(strings.NewReader(someRules), failing{errors.New("reset")}), fault.Internal},
	} {
		if got, err := b.AddRules(t.Context(), api.AddRulesRequest{}, tt.body); fault.CodeOf(err) != tt.code {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if keys := b.objects(t, "rules/"); len(keys) != 0 {
		t.Errorf("stored are %v", keys)
	}
	if _, err := b.Rules(t.Context(), api.RulesRequest{Rules: hash(someRules)}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("rules that were never added: %v", err)
	}
}

func TestAddRules_ThatFailsCanBeRepeated(t *testing.T) {
	for _, outcome := range []faulty.Outcome{faulty.FailBefore, faulty.FailAfter} {
		b := newBench(t)
		b.store.On(faulty.PutIfAbsent, "rules/", faulty.First(1, outcome))
		if _, err := b.AddRules(t.Context(), api.AddRulesRequest{}, strings.NewReader(someRules)); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("the first time: %v", err)
		}
		if got, err := b.AddRules(t.Context(), api.AddRulesRequest{}, strings.NewReader(someRules)); err != nil || got.Rules != hash(someRules) {
			t.Errorf("again: %+v, %v", got, err)
		}
	}
}

func TestRules_ReportsDamage(t *testing.T) {
	b := newBench(t)
	if _, err := b.store.Put(t.Context(), archive.RulesKey(hash(someRules)), "", []byte(someRules+"\n")); err != nil {
		t.Fatal(err)
	}
	_, read := b.Rules(t.Context(), api.RulesRequest{Rules: hash(someRules)})
	_, added := b.AddRules(t.Context(), api.AddRulesRequest{}, strings.NewReader(someRules))
	for _, err := range []error{read, added} {
		if fault.CodeOf(err) != fault.Internal || !strings.Contains(fault.PublicMessage(err), "damaged") {
			t.Errorf("error %v", err)
		}
	}
}
