package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readTree reads the tree of a YAML or JSON document. A text that begins with { and is
// valid JSON is read as JSON, because the YAML parser refuses some JSON texts, such as
// those that are indented by tabs.
func readTree(data []byte) (*yaml.Node, error) {
	if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) && json.Valid(data) {
		return readJSON(data)
	}

	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the document is empty; write version: 1 and rules: [...]")
		}
		return nil, fmt.Errorf("not valid YAML or JSON: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("the text has more than one YAML document; write one")
	}

	if len(document.Content) != 1 {
		return nil, errors.New("the document is empty; write version: 1 and rules: [...]")
	}
	return document.Content[0], nil
}

// jsonReader reads valid JSON as a tree of YAML nodes.
type jsonReader struct {
	data    []byte
	decoder *json.Decoder
	line    int   // the line of the last token
	counted int64 // the line ends before this offset have been counted
}

func readJSON(data []byte) (*yaml.Node, error) {
	r := jsonReader{data: data, decoder: json.NewDecoder(bytes.NewReader(data)), line: 1}
	r.decoder.UseNumber() // preserves every digit of a number
	return r.value()
}

// token returns the next token and sets the line to that on which the token ends.
func (r *jsonReader) token() (json.Token, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	end := r.decoder.InputOffset()
	r.line += bytes.Count(r.data[r.counted:end], []byte("\n"))
	r.counted = end
	return token, nil
}

func (r *jsonReader) value() (*yaml.Node, error) {
	from := r.decoder.InputOffset()
	token, err := r.token()
	if err != nil {
		return nil, err
	}

	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Line: r.line}
	switch v := token.(type) {
	case json.Delim:
		if node.Kind, node.Tag = yaml.SequenceNode, "!!seq"; v == '{' {
			node.Kind, node.Tag = yaml.MappingNode, "!!map"
		}
		return node, r.members(node)
	case string:
		if replaces(v, r.data[from:r.decoder.InputOffset()]) {
			return nil, fmt.Errorf("line %d: a text contains half of a surrogate pair, such as \\ud800, which is no character", r.line)
		}
		node.Value, node.Style = v, yaml.LiteralStyle // like a YAML literal, a JSON string keeps its lines
	case json.Number:
		node.Value = v.String()
	case bool:
		node.Value = fmt.Sprint(v)
	default:
		node.Tag = "!!null"
	}
	return node, nil
}

// replaces reports whether encoding/json has replaced an escape in the source of a text,
// which it does for half of a surrogate pair.
func replaces(text string, source []byte) bool {
	written := bytes.Count(source, []byte("\uFFFD")) + bytes.Count(bytes.ToLower(source), []byte(`\ufffd`))
	return strings.Count(text, "\uFFFD") > written
}

// members reads the members of an object or the elements of an array, and the closing
// bracket.
func (r *jsonReader) members(node *yaml.Node) error {
	for r.decoder.More() {
		member, err := r.value() // the name of a member is a value too
		if err != nil {
			return err
		}
		node.Content = append(node.Content, member)
	}
	_, err := r.token()
	return err
}
