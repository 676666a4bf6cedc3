package cluster

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"ace/shared/fault"
)

// object is a JSON object whose members are not decoded yet.
type object map[string]json.RawMessage

// objectOf returns the object in raw, or nil if raw is something else.
func objectOf(raw json.RawMessage) object {
	var o object
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

// member returns the value of a member, or nil if there is none. The search ignores the
// case of the name, as encoding/json does.
func (o object) member(name string) json.RawMessage {
	for key, raw := range o {
		if strings.EqualFold(key, name) {
			return raw
		}
	}
	return nil
}

// objects returns the elements of a member that is an array of objects. An element that
// is not an object is nil. The result is nil if the member is not an array.
func (o object) objects(name string) []object {
	var elements []json.RawMessage
	if json.Unmarshal(o.member(name), &elements) != nil {
		return nil
	}
	all := make([]object, len(elements))
	for i, raw := range elements {
		all[i] = objectOf(raw)
	}
	return all
}

// elementOf returns elements[i], or nil if there are fewer elements. If a file has the
// same member twice, elements may come from one of the two arrays, and the decoded struct
// from the other. So elements can be shorter than the array in the struct.
func elementOf(elements []object, i int) object {
	if i < len(elements) {
		return elements[i]
	}
	return nil
}

// level describes the members that a JSON object may have at one level of a pgEdge
// cluster file: the file itself, "pgedge", a database or a node.
type level struct {
	own        []string          // names of the members that have an effect
	pgEdge     []string          // names of the other members that pgEdge's tools write
	connection bool              // the object may also have members with the names of libpq's connection parameters
	instead    map[string]string // maps the name of a member that has no effect to the member that must be used instead, such as user to db_user
}

// loginMembers returns the names of the members that are decoded to a jsonLogin.
func loginMembers() []string {
	return []string{"db_name", "db_user", "db_password", "db_password_secret", "rds_iam"}
}

func fileLevel() level {
	return level{own: []string{"cluster_name", "pgedge", "node_groups"}, pgEdge: []string{"json_version", "log_level", "update_date"}}
}

func pgEdgeLevel() level {
	return level{own: []string{"databases"}, pgEdge: []string{"pg_version", "auto_start", "auto_ddl", "spock"}}
}

func databaseLevel() level {
	return level{own: loginMembers(), pgEdge: []string{"db_owner"}, connection: true, instead: loginInstead()}
}

func nodeLevel() level {
	instead := loginInstead()
	instead["host"], instead["ip"] = "public_ip", "public_ip"
	return level{
		own:        append(loginMembers(), "name", "is_active", "public_ip", "private_ip", "port", "sub_nodes"),
		pgEdge:     []string{"ssh", "path", "replicas", "backrest", "os_user", "ssh_key", "private_key"},
		connection: true, instead: instead,
	}
}

// loginInstead maps names that service files and other programs use to the members of a
// pgEdge cluster file, such as dbname to db_name.
func loginInstead() map[string]string {
	return map[string]string{"dbname": "db_name", "database": "db_name", "user": "db_user", "username": "db_user", "password": "db_password"}
}

// checkMembers returns an error if an object has a member that seems to be a misspelled
// or misplaced setting of the connection: to ignore it would be unsafe. checkMembers adds
// a warning to the cluster for every other unknown member. In errors, where names the
// file, and owner the database or node.
func (c *Cluster) checkMembers(where, owner string, o object, l level) error {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		lower := strings.ToLower(name)
		parameter, isParameter := parameterOf(lower)
		switch {
		case slices.Contains(l.own, lower) || slices.Contains(l.pgEdge, lower):
			continue
		case l.instead[lower] != "":
			return misspelled(where, owner, name, l.instead[lower])
		case isParameter && l.connection && !parameter.isIdentity():
			continue
		case isParameter && !l.connection:
			return fault.New(fault.Invalid, "%s: %q of %s has no effect there; move it to a database or node", where, name, owner)
		}

		known := slices.Concat(l.own, parameterNames(), l.pgEdge)
		switch likely := similar(name, known); {
		case slices.Contains(l.pgEdge, likely):
		case likely != "":
			return misspelled(where, owner, name, likely)
		case strings.HasPrefix(lower, "ssl") || strings.HasPrefix(lower, "tls"):
			return unknownSetting(where, owner, name)
		}
		c.warn("%s: %.100q of %s is unknown and has no effect", where, name, owner)
	}
	return nil
}

func misspelled(where, owner, name, likely string) error {
	return fault.New(fault.Invalid, "%s: %.100q of %s is unknown; did you mean %q?", where, name, owner, likely)
}

// settings returns the members of a database or node that are connection parameters, as
// text.
func (o object) settings(where, owner string) (map[string]string, error) {
	found := make(map[string]string)
	for name, raw := range o {
		parameter, isParameter := parameterOf(strings.ToLower(name))
		if !isParameter || parameter.isIdentity() {
			continue
		}
		text, ok := settingText(raw)
		if !ok {
			return nil, fault.New(fault.Invalid, "%s: %s of %s must be a string, a number, true or false", where, name, owner)
		}
		if text != "" {
			found[parameter.Name] = text
		}
	}
	return found, nil
}

// settingText returns the text of a JSON value as libpq writes it: 1 and 0 for true and
// false. It is "" for null. ok is false for an array or object.
func settingText(raw json.RawMessage) (text string, ok bool) {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return "", false
	}
	switch value := value.(type) {
	case nil:
		return "", true
	case string:
		return value, true
	case bool:
		if value {
			return "1", true
		}
		return "0", true
	case float64:
		return strings.TrimSpace(string(raw)), true
	}
	return "", false
}
