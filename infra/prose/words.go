package main

import (
	_ "embed"
	"regexp"
	"strings"
)

//go:embed words.txt
var wordsFile string

//go:embed idioms.txt
var idiomsFile string

// advice is a pattern of words to avoid, and the words to write instead.
type advice struct {
	pattern *regexp.Regexp
	instead string
}

// wording finds the words that words.txt lists, except in the phrases that idioms.txt
// lists.
type wording struct {
	advices []advice
	idioms  *regexp.Regexp
	quoted  *regexp.Regexp // matches code within prose, which is between backquotes
}

func newWording() wording {
	w := wording{
		idioms: wholeWords(strings.Join(rows(idiomsFile), "|")),
		quoted: regexp.MustCompile("`[^`\n]*`"),
	}
	for _, row := range rows(wordsFile) {
		pattern, instead, _ := strings.Cut(row, "\t")
		w.advices = append(w.advices, advice{wholeWords(pattern), instead})
	}
	return w
}

// rows returns the lines of a list, without empty lines and lines that begin with #.
func rows(list string) []string {
	var found []string
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return found
}

func wholeWords(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(` + pattern + `)\b`)
}

// in returns the listed words in a line of prose, with what to write instead.
func (w wording) in(line string) []string {
	line = w.idioms.ReplaceAllString(w.quoted.ReplaceAllString(line, ""), "")
	var found []string
	for _, a := range w.advices {
		for _, word := range a.pattern.FindAllString(line, -1) {
			found = append(found, `"`+strings.ToLower(word)+`" -> `+a.instead)
		}
	}
	return found
}
