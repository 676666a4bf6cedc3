package rowpairs

import (
	"math/big"
	"strings"

	"ace/shared/difffile"
)

// before guesses which of two keys comes first, where one node has the one and the other node the other. Only the
// database knows; but numbers by value and all else by its text is what a reader expects, and nothing depends on it.
func before(a, b difffile.Row) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil {
			continue
		}
		if order := compare(*a[i], *b[i]); order != 0 {
			return order < 0
		}
	}
	return false
}

func compare(a, b string) int {
	x, isNumber := number(a)
	y, both := number(b)
	if isNumber && both {
		return x.Cmp(y)
	}
	return strings.Compare(a, b)
}

// maxDigits bounds what is read as a number: arithmetic on keys of many digits would take long.
const maxDigits = 40

func number(s string) (*big.Float, bool) {
	if len(s) > maxDigits || strings.Trim(s, "-.0123456789") != "" {
		return nil, false
	}
	return new(big.Float).SetPrec(4 * maxDigits).SetString(s)
}
