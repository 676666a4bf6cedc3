package redact_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/redact"
)

func text(s string) *string { return &s }

func TestHasher_HashesAreEqualExactlyIfTheValuesAre(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := redact.New([]string{"b", "c"}).Hasher([]string{"a", "b", "c"})
		value := rapid.StringMatching(`[01]{0,2}`)
		key := []string{value.Draw(rt, "key"), value.Draw(rt, "second key")}
		first, second := value.Draw(rt, "first"), value.Draw(rt, "second")
		x, y := h.Row(key, []*string{text("a"), &first, &first}), h.Row(key, []*string{text("a"), &second, &second})

		if (*x[1] == *y[1]) != (first == second) {
			rt.Errorf("%q has the hash %s, %q has %s", first, *x[1], second, *y[1])
		}
		if *x[1] == *x[2] {
			rt.Errorf("equal values of two columns have the same hash %s", *x[1])
		}
		if *x[0] != "a" {
			rt.Errorf("the column a is not redacted, but its value became %q", *x[0])
		}
		if len(*x[1]) != len(redact.Prefix)+16 || !strings.HasPrefix(*x[1], redact.Prefix) {
			rt.Errorf("the hash is %q", *x[1])
		}
	})
}

func TestHasher_EqualValuesOfTwoRowsHaveDifferentHashes(t *testing.T) {
	h := redact.New([]string{"v"}).Hasher([]string{"v"})
	seen := map[string]bool{}
	for _, key := range [][]string{{"1"}, {"2"}, {"1", "2"}, {"12"}, {"", "12"}, {"12", ""}, nil} {
		hash := *h.Row(key, []*string{text("yes")})[0]
		if seen[hash] {
			t.Errorf("the key %q has the hash of another key", key)
		}
		seen[hash] = true
	}
}

func TestHasher_TwoTasksHaveDifferentHashes(t *testing.T) {
	row := []*string{text("yes")}
	first := redact.New([]string{"v"}).Hasher([]string{"v"}).Row([]string{"1"}, row)
	second := redact.New([]string{"v"}).Hasher([]string{"v"}).Row([]string{"1"}, row)
	if *first[0] == *second[0] {
		t.Errorf("both tasks have the hash %s", *first[0])
	}
}

func TestHasher_NullStaysNullAndTheRowIsNotChanged(t *testing.T) {
	h := redact.New([]string{"v", "w"}).Hasher([]string{"id", "v", "w"})
	row := []*string{text("1"), nil, text("secret")}
	got := h.Row([]string{"1"}, row)
	if got[1] != nil || *row[2] != "secret" || *got[2] == "secret" {
		t.Errorf("the row %v became %v", row, got)
	}
	if short := h.Row([]string{"1"}, row[:2]); len(short) != 2 || short[1] != nil {
		t.Errorf("a row without its last column became %v", short)
	}
	some := h.Values([]string{"1"}, []int{2, 0, 1}, []*string{row[2], row[0], nil})
	if *some[0] != *got[2] || some[1] != row[0] || some[2] != nil {
		t.Errorf("the values of some columns became %v, the row %v", some, got)
	}
	if h.Row([]string{"1"}, nil) != nil {
		t.Error("a missing row did not stay missing")
	}
}

func TestRedaction_WithoutColumnsChangesNothing(t *testing.T) {
	row := []*string{text("1")}
	for name, r := range map[string]redact.Redaction{"none": redact.New(nil), "others": redact.New([]string{"other"})} {
		h := r.Hasher([]string{"id"})
		if h != nil || !slices.Equal(h.Row(nil, row), row) {
			t.Errorf("%s: the row was changed", name)
		}
	}
	if redact.New(nil).Active() || !redact.New([]string{"v"}).Active() {
		t.Error("Active is wrong")
	}
}

func TestRedaction_AStoredOneMakesTheSameHashes(t *testing.T) {
	r := redact.New([]string{"v"})
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var stored redact.Redaction
	if err := json.Unmarshal(body, &stored); err != nil {
		t.Fatal(err)
	}
	row := []*string{text("yes")}
	if a, b := r.Hasher([]string{"v"}).Row(nil, row), stored.Hasher([]string{"v"}).Row(nil, row); *a[0] != *b[0] {
		t.Errorf("the hash was %s, from the stored key it is %s", *a[0], *b[0])
	}
}
