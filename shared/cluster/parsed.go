package cluster

import (
	"crypto/sha256"
	"sync"
)

// parsedFiles holds the definitions that were parsed from JSON files. A comparison of
// many tables loads the same definition several times per table, and parsing it takes
// longer than reading it. It is safe for concurrent use.
type parsedFiles struct {
	mu    sync.Mutex
	files map[string]parsedFile // by path
}

// parsedFile is a definition and the hash of the content from which it was parsed.
type parsedFile struct {
	name       string
	hash       [sha256.Size]byte
	definition Cluster
}

// maxParsed bounds the number of definitions that are held.
const maxParsed = 100

// json is like parseJSON, but does not parse the same content twice. The caller must not
// change the maps and slices of the result.
func (p *parsedFiles) json(where, name string, data []byte) (Cluster, error) {
	hash := sha256.Sum256(data)
	p.mu.Lock()
	known, ok := p.files[where]
	p.mu.Unlock()
	if ok && known.name == name && known.hash == hash {
		return known.definition, nil
	}

	definition, err := parseJSON(where, name, data)
	if err != nil {
		return definition, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.files == nil || len(p.files) >= maxParsed {
		p.files = map[string]parsedFile{}
	}
	p.files[where] = parsedFile{name, hash, definition}
	return definition, nil
}
