package rowdigest

// Named says whether a list decides about the type, rather than the rule for everything else.
func Named(t Type) bool {
	t = baseOf(t)
	if _, ok := builtin(t); ok {
		return true
	}
	if t.Elem == nil {
		return false
	}
	return Named(*t.Elem)
}
