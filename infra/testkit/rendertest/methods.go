package rendertest

import (
	"reflect"
	"testing"
	"text/template/parse"
)

// NoMethods fails the test if a template calls a method of a value. In the program, such
// a call would fail when it is reached. views are values of all types that the templates
// are executed with. A name counts as a method if a type that is reachable from views has
// a method of this name, and none has a field of this name.
func NoMethods(tb testing.TB, trees []*parse.Tree, views ...any) {
	tb.Helper()
	n := names{methods: map[string]string{}, fields: map[string]bool{}, seen: map[reflect.Type]bool{}}
	for _, view := range views {
		n.add(reflect.TypeOf(view))
	}
	used := 0
	for _, tree := range trees {
		if tree == nil {
			continue
		}
		walk(reflect.ValueOf(tree.Root), func(name string) {
			used++
			if of, ok := n.methods[name]; ok && !n.fields[name] {
				tb.Errorf("template %s calls the method %s of %s", tree.Name, name, of)
			}
		})
	}
	if used == 0 || len(n.methods) == 0 || len(n.fields) == 0 {
		tb.Errorf("%d names in %d templates, %d methods and %d fields were seen", used, len(trees), len(n.methods), len(n.fields))
	}
}

// names are the exported names of all types that are reachable from some types.
type names struct {
	methods map[string]string // the type that has the method
	fields  map[string]bool
	seen    map[reflect.Type]bool
}

func (n names) add(t reflect.Type) {
	if n.seen[t] {
		return
	}
	n.seen[t] = true
	for _, each := range []reflect.Type{t, reflect.PointerTo(t)} {
		for i := range each.NumMethod() {
			n.methods[each.Method(i).Name] = t.String()
		}
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		n.add(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() || f.Anonymous {
				n.fields[f.Name] = true
				n.add(f.Type)
			}
		}
	default:
	}
}

// walk calls name with every name after a dot in a node and the nodes below it.
func walk(v reflect.Value, name func(string)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() || v.Type() == reflect.TypeFor[*parse.Tree]() {
			return // a node refers to its tree
		}
		if variable, ok := v.Interface().(*parse.VariableNode); ok {
			for _, ident := range variable.Ident[1:] {
				name(ident)
			}
			return
		}
		walk(v.Elem(), name)
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), name)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			switch {
			case !f.IsExported():
			case f.Type == reflect.TypeFor[[]string]() && (f.Name == "Ident" || f.Name == "Field"):
				for _, ident := range v.Field(i).Interface().([]string) {
					name(ident)
				}
			default:
				walk(v.Field(i), name)
			}
		}
	default:
	}
}
