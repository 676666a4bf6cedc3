package api

import (
	"strings"
)

// maxNearest is the maximum length of a misspelled name for which Nearest searches. No
// known name is similar to a longer one.
const maxNearest = 64

// Nearest returns the candidate most similar to a misspelled name, or "" if none is
// similar. A candidate that continues the name with an underscore is always similar:
// cluster_name for cluster. The candidates must be in lower case.
func Nearest(name string, candidates []string) string {
	if len(name) > maxNearest {
		return ""
	}

	name = strings.ToLower(name)
	best, bestDistance := "", max(len(name)/3, 1)+1
	for _, candidate := range candidates {
		if strings.HasPrefix(candidate, name+"_") {
			return candidate
		}
		if d := distance(name, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance returns the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}

	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
