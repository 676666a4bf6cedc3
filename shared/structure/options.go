package structure

import (
	"slices"
	"strings"

	"ace/shared/fault"
	"ace/shared/structure/catalog"
)

// Kinds of findings about a property that many kinds of objects have. All other findings
// have the kind of their object.
const (
	kindOwner   = "owner"
	kindGrants  = "grants"
	kindComment = "comment"
)

// Options select what Compare reports.
type Options struct {
	Nodes  []string // the nodes in the order of the cluster definition
	Ignore []string // kinds of findings that are not reported, see Kinds
}

// Kinds returns the kinds of findings, sorted.
func Kinds() []string {
	kinds := []string{kindOwner, kindGrants, kindComment}
	for kind := range kindRules() {
		kinds = append(kinds, string(kind))
	}
	slices.Sort(kinds)
	return kinds
}

// CheckIgnore returns an error if a name is not the name of a kind of findings. The
// plural is allowed, such as owners and indexes.
func CheckIgnore(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(Kinds(), func(kind string) bool { return isNamed(kind, name) }) {
			return fault.New(fault.Invalid, "ignore: there is no kind %q; the kinds are %s", name, strings.Join(Kinds(), ", "))
		}
	}
	return nil
}

// ignores reports whether findings of a kind are not reported.
func (o Options) ignores(kind string) bool {
	return slices.ContainsFunc(o.Ignore, func(name string) bool { return isNamed(kind, name) })
}

// Ignores reports whether a list of names, such as Options.Ignore, has a kind of
// findings.
func Ignores(names []string, kind string) bool { return Options{Ignore: names}.ignores(kind) }

// isNamed reports whether name is the kind or its plural. "_" and "-" stand for a space.
func isNamed(kind, name string) bool {
	name = strings.NewReplacer("_", " ", "-", " ").Replace(strings.ToLower(strings.TrimSpace(name)))
	return name == kind || name == kind+"s" || name == kind+"es" || name == strings.TrimSuffix(kind, "y")+"ies"
}

// kindOf returns the kind of a finding about a property of an object: owner, grants or
// comment for these properties, otherwise the kind of the object.
func kindOf(kind catalog.Kind, property catalog.Property) string {
	switch property {
	case catalog.Owner:
		return kindOwner
	case catalog.Grants:
		return kindGrants
	case catalog.Comment:
		return kindComment
	}
	return string(kind)
}
