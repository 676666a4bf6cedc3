package cluster

import (
	"maps"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/fault"
)

// addOptions reads the settings of a database, node or section. It returns the connection
// parameters among them, and the password of the key (sslpassword) separately. It leaves
// out the parameters that have a field of their own (see isIdentity). It adds a warning
// to the cluster for each setting that has no effect. A setting that is unknown, refused
// or has a wrong value is an error. In errors, where names the file, and owner the
// database, node or section.
func (c *Cluster) addOptions(where, owner string, settings map[string]string) (options map[string]string, keyPassword Secret, err error) {
	options = make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		value := settings[name]
		parameter, known := parameterOf(name)
		if !known {
			return nil, "", unknownSetting(where, owner, name)
		}

		switch problem := parameter.problem(value); {
		case problem != "":
			return nil, "", fault.New(fault.Invalid, "%s: %s of %s %s", where, name, owner, problem)
		case parameter.Use == Ignored:
			c.warn("%s: %s of %s has no effect: %s", where, name, owner, strings.ReplaceAll(parameter.Note, "`", ""))
		case name == "sslpassword":
			keyPassword = Secret(value)
		case parameter.isIdentity():
		default:
			options[name] = value
		}
	}
	return options, keyPassword, nil
}

// warn adds a warning to the cluster, unless the cluster already has the same warning.
func (c *Cluster) warn(format string, args ...any) {
	text := fault.New(fault.Invalid, format, args...).Message
	if !slices.Contains(c.Warnings, text) {
		c.Warnings = append(c.Warnings, text)
	}
}

func unknownSetting(where, owner, name string) error {
	if likely := similar(name, parameterNames()); likely != "" {
		return fault.New(fault.Invalid, "%s: setting %.100q of %s is unknown; did you mean %s?", where, name, owner, likely)
	}
	return fault.New(fault.Invalid, "%s: setting %.100q of %s is unknown; docs/CONFIGURATION.md lists the connection parameters", where, name, owner)
}

// parameterNames returns the names of all connection parameters of libpq.
func parameterNames() []string {
	var names []string
	for _, p := range Parameters() {
		if p.Name != "" {
			names = append(names, p.Name)
		}
	}
	return names
}

// similar returns the element of known that a misspelled name probably means, or "" if no
// element is similar. It ignores case and the characters - and _.
func similar(name string, known []string) string {
	plain := strings.NewReplacer("_", "", "-", "").Replace
	for _, candidate := range known {
		if strings.EqualFold(plain(name), plain(candidate)) {
			return candidate
		}
	}
	return api.Nearest(name, known)
}
