package rowdigest

// Named reports whether one of the lists has the type. If not, the rule for all other
// types applies.
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
