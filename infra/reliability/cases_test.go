// Package reliability checks that docs/RELIABILITY.md lists exactly the cases that tests
// are marked with. It has no other code.
package reliability

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"ace/infra/testkit/testfiles"
)

const root = "../.."

var (
	listedCase = regexp.MustCompile(`(?m)^\| ([TO]-[FP]\d+b?) \|`)
	markedCase = regexp.MustCompile(`(?m)^\s*// (?:Case|Neighbour of case) [TO]-.*$`)
	caseNumber = regexp.MustCompile(`\b[TO]-[FP]\d+b?\b`)
)

func TestCases_EveryListedCaseHasATestAndEveryMarkIsListed(t *testing.T) {
	body, err := os.ReadFile(filepath.Join(root, "docs", "RELIABILITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, match := range listedCase.FindAllStringSubmatch(string(body), -1) {
		if listed[match[1]] {
			t.Errorf("docs/RELIABILITY.md lists %s twice", match[1])
		}
		listed[match[1]] = true
	}
	if len(listed) == 0 {
		t.Fatal("docs/RELIABILITY.md lists no case")
	}

	marked := markedCases(t)
	for number := range listed {
		if len(marked[number]) == 0 {
			t.Errorf("docs/RELIABILITY.md lists %s, but no test is marked with it", number)
		}
	}
	for number, files := range marked {
		if !listed[number] {
			t.Errorf("%s is marked with %s, which docs/RELIABILITY.md does not list", files[0], number)
		}
	}
}

// markedCases returns the files of the tests that are marked with each case.
func markedCases(t *testing.T) map[string][]string {
	t.Helper()
	marked := map[string][]string{}
	testfiles.Each(t, root, func(path, content string) {
		for _, mark := range markedCase.FindAllString(content, -1) {
			for _, number := range caseNumber.FindAllString(mark, -1) {
				marked[number] = append(marked[number], path)
			}
		}
	})
	return marked
}
