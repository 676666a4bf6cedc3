package template

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// value returns a node as plain data. An intrinsic function in its short form becomes
// what it is in its long one: !Ref x is {"Ref": x}, !Sub x is {"Fn::Sub": x}.
func value(n *yaml.Node) (any, error) {
	plain, err := untagged(n)
	if err != nil || !strings.HasPrefix(n.Tag, "!") || strings.HasPrefix(n.Tag, "!!") {
		return plain, err
	}
	name := n.Tag[1:]
	if name != "Ref" && name != "Condition" {
		name = "Fn::" + name
	}
	return map[string]any{name: plain}, nil
}

func untagged(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.DocumentNode:
		return value(n.Content[0])
	case yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			v, err := value(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			object[n.Content[i].Value] = v
		}
		return object, nil
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			v, err := value(item)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	case yaml.ScalarNode:
		return n.Value, nil
	}
	return nil, fmt.Errorf("line %d: aliases are not supported", n.Line)
}

// at follows keys through objects; nil if there is nothing.
func at(v any, keys ...string) any {
	for _, key := range keys {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	return v
}

// object returns a value that should be an object, an empty one if it is none.
func object(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

// list returns a value that is a list, or one item of one.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// text returns a scalar; an intrinsic function as its one argument: !Sub and !Ref as
// their text, !GetAtt with its dot.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		for name, argument := range v {
			if argument, ok := argument.(string); ok && name == "Fn::GetAtt" {
				return "${" + argument + "}"
			}
			if argument, ok := argument.(string); ok && name == "Ref" {
				return "${" + argument + "}"
			}
			return text(argument)
		}
	}
	return fmt.Sprint(v)
}
