package diffkeys_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ace/shared/diffkeys"
	"ace/shared/fault"
	"ace/shared/table"
)

func TestCheckReadable_FailsOnlyIfNoNodeCanReadAKey(t *testing.T) {
	keys := []table.Key{{"1"}, {"x"}, {"y"}}
	outage := fault.New(fault.Unavailable, "the node is unreachable")
	tests := []struct {
		name       string
		unreadable []string // by node: the keys that it cannot read
		fails      bool
	}{
		{"each node can read all", []string{"", ""}, false},
		{"the second node can read what the first cannot", []string{"xy", "1"}, false},
		{"neither can read one of them", []string{"xy", "y"}, true},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := diffkeys.CheckReadable(keys, len(tt.unreadable), func(node int, asked []table.Key) (map[int]error, error) {
				reasons := map[int]error{}
				for i, key := range asked {
					if strings.Contains(tt.unreadable[node], key[0]) {
						reasons[i] = fault.New(fault.Invalid, "not a number")
					}
				}
				return reasons, nil
			})

			want := "the document has the key ('y'), which no node can read: not a number"
			if (err != nil) != tt.fails || err != nil && (fault.PublicMessage(err) != want || fault.CodeOf(err) != fault.Invalid) {
				t.Errorf("error %v", err)
			}
		})
	}

	asked := []int{}
	err := diffkeys.CheckReadable(keys, 2, func(node int, _ []table.Key) (map[int]error, error) {
		asked = append(asked, node)
		return nil, outage
	})

	if !errors.Is(err, outage) || !slices.Equal(asked, []int{0}) {
		t.Errorf("an outage: error %v after asking nodes %v", err, asked)
	}
}
