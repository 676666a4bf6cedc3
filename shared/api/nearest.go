package api

import (
	"strings"
)

// maxNearest bounds what nearest looks at: longer names resemble nothing we know.
const maxNearest = 64

// nearest is the candidate that a misspelt name most likely means, "" if none is close.
func nearest(name string, candidates []string) string {
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

// distance counts the bytes to insert, delete or replace to get from a to b (Levenshtein).
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
