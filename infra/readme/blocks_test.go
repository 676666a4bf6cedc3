package readme

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// block is a fenced code block of README.md.
type block struct {
	language string // "sh", or "" for output
	text     string
}

// readBlocks returns the code blocks of README.md in their order.
func readBlocks(t *testing.T) []block {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}

	var blocks []block
	open := false
	for line := range strings.Lines(string(body)) {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open:
			open = false
		case fence:
			open = true
			blocks = append(blocks, block{language: language})
		case open:
			blocks[len(blocks)-1].text += line
		}
	}
	return blocks
}

// shell returns the blocks to paste into a shell.
func shell(blocks []block) []string {
	var texts []string
	for _, b := range blocks {
		if b.language == "sh" {
			texts = append(texts, b.text)
		}
	}
	return texts
}

func TestReadme_IsShort(t *testing.T) {
	body, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(body), "\n"); lines > 120 {
		t.Errorf("README.md has %d lines, at most 120 are allowed: move details to docs/", lines)
	}
}
