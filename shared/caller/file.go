package caller

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"ace/shared/api"
	"ace/shared/yamlfile"
)

const (
	// MaxFile is the maximum size of a callers file in bytes.
	MaxFile = 64 << 10

	maxTokens = 8 // maximum number of tokens of one caller

	allowedFields   = "name, token_sha256, rights, clusters"
	allowedName     = api.AllowedName + ", once in the file"
	allowedHash     = "the SHA-256 of a token, 64 characters 0-9 a-f, as ace callers token prints it"
	allowedRights   = "a list of read, compare and repair"
	allowedClusters = `a list of names of clusters, or "*" for all clusters`
)

// Entry is a caller of a callers file with the SHA-256 of its tokens.
type Entry struct {
	Caller
	Tokens []Hash
}

// Parse parses the content of a callers file. file is the file's name for messages. The
// error is one fault with code Invalid whose message has a line for each problem: its
// position, the value and what is allowed. No message contains a hash of a token, since a
// token itself may have been written in its place.
func Parse(file string, data []byte) ([]Entry, error) {
	p := parser{
		Reader: yamlfile.Reader{File: file, Entry: "caller", MaxSize: MaxFile, Secret: true},
		names:  map[string]bool{}, tokens: map[Hash]string{},
	}
	entries := []Entry{}
	for i, node := range p.Entries(data) {
		entries = append(entries, p.entry(node, i+1))
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	return entries, nil
}

type parser struct {
	yamlfile.Reader
	names  map[string]bool
	tokens map[Hash]string // the caller of each token
}

func (p *parser) entry(node *yaml.Node, number int) Entry {
	nth := fmt.Sprint(number)
	fields := p.Fields(node, nth, strings.Split(allowedFields, ", "), allowedFields)
	if node.Kind != yaml.MappingNode {
		return Entry{}
	}

	e := Entry{Caller: Caller{Name: p.name(node, fields["name"], nth)}}
	for _, text := range p.list(node, fields, e.Name, "token_sha256", allowedHash) {
		e.Tokens = append(e.Tokens, p.token(text, e.Name))
	}
	if len(e.Tokens) > maxTokens {
		p.Note(node.Line, e.Name, "token_sha256 has %d hashes; the maximum is %d", len(e.Tokens), maxTokens)
	}

	for _, text := range p.list(node, fields, e.Name, "rights", allowedRights) {
		right := api.Right(text.Value)
		if !slices.Contains(api.Rights(), right) || slices.Contains(e.Rights, right) {
			p.Note(text.Line, e.Name, "rights has %.40q; it must be %s, each once", text.Value, allowedRights)
		}
		e.Rights = append(e.Rights, right)
	}

	for _, text := range p.list(node, fields, e.Name, "clusters", allowedClusters) {
		if text.Value != AllClusters && !api.IsName(text.Value) || slices.Contains(e.Clusters, text.Value) {
			p.Note(text.Line, e.Name, "clusters has %.80q; it must be %s, each once", text.Value, allowedClusters)
		}
		e.Clusters = append(e.Clusters, text.Value)
	}
	return e
}

// name returns the name of a caller. If the caller has no valid name, name records a
// problem and returns nth, the caller's number in the file.
func (p *parser) name(entry, node *yaml.Node, nth string) string {
	if node == nil || node.Kind != yaml.ScalarNode {
		p.Note(entry.Line, nth, "name is missing; it must be %s", allowedName)
		return nth
	}
	name := node.Value
	switch {
	case !api.IsName(name) || p.names[name]:
		p.Note(node.Line, nth, "name is %.80q; it must be %s", name, allowedName)
		return nth
	case slices.Contains([]string{Anonymous, Token, Schedule, Command, Service, AWS}, name):
		p.Note(node.Line, nth, "name is %q, which the service uses itself; choose another name", name)
		return nth
	}
	p.names[name] = true
	return name
}

// list returns the texts of a field, a list or one text. A field that is missing, an item
// that is no text, and an empty list are problems.
func (p *parser) list(entry *yaml.Node, fields map[string]*yaml.Node, caller, field, allowed string) []*yaml.Node {
	node := fields[field]
	if node == nil {
		p.Note(entry.Line, caller, "%s is missing; it must be %s", field, allowed)
		return nil
	}
	items := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		items = node.Content
	}

	var texts []*yaml.Node
	for _, item := range items {
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" || item.Value == "" {
			p.Note(item.Line, caller, "%s has an item that is no text; it must be %s", field, allowed)
			continue
		}
		texts = append(texts, item)
	}
	if len(items) == 0 {
		p.Note(node.Line, caller, "%s is empty; it must be %s", field, allowed)
	}
	return texts
}

// token returns the hash of a token. A token must belong to one caller only.
func (p *parser) token(node *yaml.Node, caller string) Hash {
	var hash Hash
	decoded, err := hex.DecodeString(node.Value)
	if err != nil || len(decoded) != len(hash) || strings.ToLower(node.Value) != node.Value {
		p.Note(node.Line, caller, "token_sha256 must be %s", allowedHash)
		return hash
	}
	hash = Hash(decoded)
	if hash == HashOf("") || hash == HashOf("\n") {
		p.Note(node.Line, caller, "token_sha256 is the hash of an empty token; it must be %s", allowedHash)
	}
	if other, known := p.tokens[hash]; known {
		p.Note(node.Line, caller, "token_sha256 is given twice; the caller %s has it too", other)
	}
	p.tokens[hash] = caller
	return hash
}
