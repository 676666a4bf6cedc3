// Package yamlfile reads a configuration file in YAML that is a list of named entries,
// such as the jobs of a schedules file. It collects all mistakes, each with its line and
// entry, so that one error reports them all.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"ace/shared/fault"
)

// Reader reads one file and collects its problems.
type Reader struct {
	File    string // the file's name for messages
	Entry   string // what an entry of the list is called, such as "job"
	MaxSize int    // maximum size of the file in bytes
	// Secret means that the file may contain a secret in a wrong place. Then no message
	// quotes the text of the file or the name of an unknown field.
	Secret bool

	problems []string
}

// Note records a problem. entry is "" if the problem belongs to no entry, and line is 0
// if it has no line.
func (r *Reader) Note(line int, entry, format string, args ...any) {
	at := r.File
	if line > 0 {
		at += fmt.Sprintf(", line %d", line)
	}
	if entry != "" {
		at += ", " + r.Entry + " " + entry
	}
	r.problems = append(r.problems, at+": "+fmt.Sprintf(format, args...))
}

// Err returns one fault with code Invalid that has a line for each problem, or nil if
// there are none.
func (r *Reader) Err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "%s", strings.Join(r.problems, "\n"))
}

// Entries returns the entries of the file's only field, which is a list. The name of the
// field is the plural of Entry. Entries records what is wrong with the file as a whole.
func (r *Reader) Entries(data []byte) []*yaml.Node {
	plural := r.Entry + "s"
	if len(data) > r.MaxSize {
		r.Note(0, "", "the file has %d bytes; the maximum is %d", len(data), r.MaxSize)
		return nil
	}

	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		switch {
		case errors.Is(err, io.EOF):
			r.Note(0, "", "the file is empty; write %s: [...]", plural)
		case r.Secret: // the text of the error may quote the file
			r.Note(0, "", "not valid YAML")
		default:
			r.Note(0, "", "not valid YAML: %v", err)
		}
		return nil
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		r.Note(0, "", "the file has more than one YAML document")
	}

	top := r.Fields(document.Content[0], "", []string{plural}, plural)
	list, ok := top[plural]
	switch {
	case !ok && len(r.problems) == 0:
		r.Note(0, "", "%s is missing; write %s: [...]", plural, plural)
	case ok && list.Kind != yaml.SequenceNode:
		r.Note(list.Line, "", "%s must be a list of %s", plural, plural)
	case ok:
		return list.Content
	}
	return nil
}

// Fields returns the fields of a mapping by name. If names is not nil, a field whose name
// is not in names is a problem. allowed describes the allowed fields in the message.
func (r *Reader) Fields(node *yaml.Node, entry string, names []string, allowed string) map[string]*yaml.Node {
	found := map[string]*yaml.Node{}
	if node.Kind != yaml.MappingNode {
		r.Note(node.Line, entry, "this must be a mapping with the fields %s", allowed)
		return found
	}

	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		_, twice := found[key.Value]
		unknown := names != nil && !slices.Contains(names, key.Value)
		switch {
		case twice && r.Secret && unknown:
			r.Note(key.Line, entry, "there is a field that is given twice; give it once")
		case twice:
			r.Note(key.Line, entry, "%.60q is given twice; give it once", key.Value)
		case unknown && r.Secret:
			r.Note(key.Line, entry, "there is a field that is unknown; the fields are %s", allowed)
		case unknown:
			r.Note(key.Line, entry, "unknown field %.60q; the fields are %s", key.Value, allowed)
		}
		found[key.Value] = value
	}
	return found
}
