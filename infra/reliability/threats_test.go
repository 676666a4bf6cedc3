package reliability

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ace/infra/testkit/testfiles"
)

var namedTest = regexp.MustCompile("`(Test[A-Za-z]+_[A-Za-z0-9]+)`")

// A renamed or deleted test would leave a threat without a proof.
func TestThreats_EveryTestThatSecurityNamesExists(t *testing.T) {
	body, err := os.ReadFile(filepath.Join(root, "docs", "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, match := range namedTest.FindAllStringSubmatch(string(body), -1) {
		missing[match[1]] = true
	}
	if len(missing) == 0 {
		t.Fatal("docs/SECURITY.md names no test")
	}
	testfiles.Each(t, root, func(_, content string) {
		for name := range missing {
			if strings.Contains(content, "\nfunc "+name+"(") {
				delete(missing, name)
			}
		}
	})
	for name := range missing {
		t.Errorf("docs/SECURITY.md names %s, which does not exist", name)
	}
}
