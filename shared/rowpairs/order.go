package rowpairs

import (
	"math/big"
	"strings"

	"ace/shared/difffile"
)

// before guesses whether key a precedes key b. The guess is needed if no section of the
// document lists both keys. Then the document does not show their true order, which only
// the database knows. The guess compares numbers by their value and everything else as
// text, as a reader expects. Only the order of the output depends on the guess.
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

// compare compares two texts. If both are numbers, it compares their values.
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
