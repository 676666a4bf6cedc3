package rowpairs

import (
	"math/big"
	"strings"

	"ace/shared/difffile"
)

// before guesses the order of two keys of which each is on one node only. Only the
// database knows the true order. A reader expects numbers by value and everything else by
// its text. Only the order of the output depends on the guess.
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

// compare compares two texts, as numbers if both are numbers.
func compare(a, b string) int {
	x, isNumber := number(a)
	y, both := number(b)
	if isNumber && both {
		return x.Cmp(y)
	}
	return strings.Compare(a, b)
}

// maxDigits bounds the length of a number. Arithmetic on keys of many digits would be
// slow.
const maxDigits = 40

func number(s string) (*big.Float, bool) {
	if len(s) > maxDigits || strings.Trim(s, "-.0123456789") != "" {
		return nil, false
	}
	return new(big.Float).SetPrec(4 * maxDigits).SetString(s)
}
