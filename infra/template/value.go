package template

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// value returns a node as plain data. It converts an intrinsic function from its short to
// its long form: !Ref x becomes {"Ref": x}, and !Sub x becomes {"Fn::Sub": x}.
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

// at returns the value at keys, which lead to it from v through nested objects. It
// returns nil if there is no such value.
func at(v any, keys ...string) any {
	for _, key := range keys {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	return v
}

// object returns v if it is an object, and otherwise an empty object.
func object(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

// list returns v if it is a list, nil if v is nil, and otherwise a list whose only item
// is v.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// text returns the text of a scalar. It returns an intrinsic function in the form of
// !Sub: ${X} for !Ref X, ${X.Arn} for !GetAtt X.Arn, and the argument of !Sub unchanged.
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
