package rowdigest

// Named reports whether a list has the type, or else the rule for all other types
// applies.
func Named(t Type) bool {
	t = t.Underlying()
	if _, ok := builtin(t); ok {
		return true
	}
	if t.Elem == nil {
		return false
	}
	return Named(*t.Elem)
}
