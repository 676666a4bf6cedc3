package main

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxProse = 100 // the maximum number of columns of a line of Markdown prose

// checkMarkdown checks the words and the width of the prose of a page. It ignores code
// blocks and the targets of links. It does not check the width of the rows of tables.
func checkMarkdown(file, text string) []finding {
	words, target := newWording(), regexp.MustCompile(`\]\([^)]*\)|https?://\S+`)
	var found []finding
	fenced := false
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if fenced || strings.HasPrefix(line, "    ") {
			continue
		}
		for _, what := range words.in(target.ReplaceAllString(line, "]")) {
			found = append(found, finding{file, i + 1, what})
		}
		width := utf8.RuneCountInString(target.ReplaceAllString(line, "]"))
		if width > maxProse && !strings.HasPrefix(line, "|") {
			found = append(found, finding{file, i + 1, "line of " + strconv.Itoa(width) + " columns -> wrap at " + strconv.Itoa(maxProse)})
		}
	}
	return found
}
