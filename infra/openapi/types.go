package openapi

import (
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/difffile"
	"ace/shared/replication"
	"ace/shared/setfile"
)

// schemas makes the schemas of Go types from their json tags. A struct becomes a
// component, and other schemas refer to it.
type schemas struct {
	comments   comments
	known      map[string]*Schema // the result of the function known: the schemas that Go types do not describe
	components Object[*Schema]
	seen       map[reflect.Type]string
}

func newSchemas(c comments) *schemas {
	return &schemas{comments: c, known: known(), seen: map[reflect.Type]string{}}
}

// of returns the schema of a type.
func (s *schemas) of(t reflect.Type) *Schema {
	if schema := s.special(t); schema != nil {
		return schema
	}
	switch t.Kind() {
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.String:
		return &Schema{Type: "string"}
	case reflect.Float64:
		return &Schema{Type: "number"}
	case reflect.Int, reflect.Int64:
		return &Schema{Type: "integer", Format: "int64"}
	case reflect.Slice:
		return &Schema{Type: "array", Items: s.of(t.Elem())}
	case reflect.Map:
		return &Schema{Type: "object", Additional: s.of(t.Elem())}
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Struct:
		return s.component(t)
	}
	return &Schema{} // an empty schema allows any value
}

// special returns the schema of a type whose JSON is not that of its Go type, or nil.
func (s *schemas) special(t reflect.Type) *Schema {
	switch t {
	case reflect.TypeFor[api.Time](), reflect.TypeFor[difffile.Time](), reflect.TypeFor[time.Time]():
		return &Schema{Type: "string", Format: "date-time"}
	case reflect.TypeFor[difffile.Pairs]():
		return &Schema{Type: "object", Additional: s.of(reflect.TypeFor[difffile.PairSummary]())}
	case reflect.TypeFor[value]():
		return &Schema{Type: []string{"string", "integer", "boolean", "null"}}
	case reflect.TypeFor[json.RawMessage]():
		return &Schema{}
	}
	if t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return &Schema{Type: "string"}
	}
	return nil
}

// component adds the schema of a struct to the components, unless they already contain
// it, and returns a reference to it.
func (s *schemas) component(t reflect.Type) *Schema {
	name, ok := s.seen[t]
	if !ok {
		name = componentName(t)
		s.seen[t] = name
		schema := &Schema{Type: "object", Description: s.comments[typeName(t)]}
		s.components.set(name, schema)
		s.addFields(schema, t)
	}
	return ref(name)
}

// componentName returns the name of the component of a struct. It adds a prefix to the
// names of the types of the packages setfile and replication, because other packages have
// types of the same names.
func componentName(t reflect.Type) string {
	switch t.PkgPath() {
	case reflect.TypeFor[setfile.Document]().PkgPath():
		return "Set" + t.Name()
	case reflect.TypeFor[replication.Document]().PkgPath():
		return "Replication" + t.Name()
	}
	return t.Name()
}

func typeName(t reflect.Type) string { return t.PkgPath() + "." + t.Name() }

// addFields adds the fields of a struct and of the structs that are embedded in it.
func (s *schemas) addFields(schema *Schema, t reflect.Type) {
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			s.addFields(schema, field.Type)
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" || name == "" {
			continue
		}
		schema.Properties.set(name, s.field(t, field, name))
		if !strings.Contains(options, "omit") {
			schema.Required = append(schema.Required, name)
		}
	}
}

// field returns the schema of a field, with its comment.
func (s *schemas) field(t reflect.Type, field reflect.StructField, name string) *Schema {
	schema := s.of(field.Type)
	if replaced := s.known[componentName(t)+"."+name]; replaced != nil {
		clone := *replaced
		schema = &clone
	}
	if field.Type.Kind() == reflect.Pointer && !strings.Contains(field.Tag.Get("json"), ",omit") {
		schema.Type = []any{schema.Type, "null"}
	}
	schema.Description = cmp.Or(s.comments[typeName(t)+"."+field.Name], schema.Description)
	return schema
}

// anyOf returns a schema that accepts a value of any of the types.
func (s *schemas) anyOf(types []reflect.Type) *Schema {
	if len(types) == 1 {
		return s.of(types[0])
	}
	schema := &Schema{}
	for _, t := range types {
		schema.AnyOf = append(schema.AnyOf, s.of(t))
	}
	return schema
}

func ref(name string) *Schema { return &Schema{Ref: "#/components/schemas/" + name} }
