package cluster

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ace/shared/api"
	"ace/shared/fault"
)

// validate checks a definition that was read from a JSON file or from a service file.
// where names the file in errors.
func (c Cluster) validate(where string) error {
	if len(c.Databases) == 0 {
		return fault.New(fault.Invalid, "%s: no database is defined", where)
	}

	if len(c.Nodes) == 0 {
		return fault.New(fault.Invalid, "%s: no active node is defined", where)
	}

	seen := make(map[string]bool)
	for _, db := range c.Databases {
		if err := db.validate(where, seen); err != nil {
			return err
		}
	}

	seen = make(map[string]bool)
	for _, name := range c.Inactive {
		if err := checkNodeName(where, name, seen); err != nil {
			return err
		}
	}

	for _, node := range c.Nodes {
		if err := checkNodeName(where, node.Name, seen); err != nil {
			return err
		}
		if err := c.validateNode(where, node); err != nil {
			return err
		}
	}
	return nil
}

func (db Database) validate(where string, seen map[string]bool) error {
	switch {
	case db.Name == "":
		return fault.New(fault.Invalid, "%s: a database has no name", where)
	case hasNUL(db.Name, db.User, string(db.Password), string(db.KeyPassword)):
		return fault.New(fault.Invalid, "%s: database %q has a NUL character in its definition", where, db.Name)
	case seen[db.Name]:
		return fault.New(fault.Invalid, "%s: database %q is defined twice", where, db.Name)
	}
	seen[db.Name] = true
	if err := db.check(where, "database "+strconv.Quote(db.Name)); err != nil {
		return err
	}
	return checkOptions(where, "database "+db.Name, db.Options)
}

func (c Cluster) validateNode(where string, node Node) error {
	switch {
	case node.Host == "":
		return fault.New(fault.Invalid, "%s: node %s has no address", where, node.Name)
	case strings.Contains(node.Host, ","):
		return fault.New(fault.Invalid, "%s: node %s has several hosts; a node must be one server", where, node.Name)
	case hasNUL(node.Host, node.Database, node.User, string(node.Password), string(node.KeyPassword)):
		return fault.New(fault.Invalid, "%s: node %s has a NUL character in its definition", where, node.Name)
	}

	if err := node.check(where, "node "+node.Name); err != nil {
		return err
	}

	for _, db := range c.Databases {
		if firstOf(node.User, db.User) == "" {
			return fault.New(fault.Invalid, "%s: database %q has no user for node %s", where, db.Name, node.Name)
		}
		if mode := merged(db.Options, node.Options)["sslmode"]; node.or(db.Login).RDSIAM && !isEncrypted(mode) {
			return fault.New(fault.Invalid, "%s: sslmode of node %s is %.100q; with rds_iam it must be one of require, verify-ca, verify-full",
				where, node.Name, mode)
		}
	}
	if err := checkAddress(where, node); err != nil {
		return err
	}
	return checkOptions(where, "node "+node.Name, node.Options)
}

func checkNodeName(where, name string, seen map[string]bool) error {
	switch {
	case !api.IsName(name):
		return fault.New(fault.Invalid, "%s: a node is named %.100q; it must be %s", where, name, api.AllowedName)
	case seen[name]:
		return fault.New(fault.Invalid, "%s: node %s is defined twice", where, name)
	}
	seen[name] = true
	return nil
}

// checkOptions returns an error if the value of an option has a NUL character, which
// PostgreSQL cannot accept.
func checkOptions(where, owner string, options map[string]string) error {
	for name, value := range options {
		if hasNUL(value) {
			return fault.New(fault.Invalid, "%s: %s of %s has a NUL character", where, name, owner)
		}
	}
	return nil
}

// checkAddress checks hostaddr, the address to which ACE connects. If a node has it, the
// host of the node is only the name in the server's certificate.
func checkAddress(where string, node Node) error {
	address, given := node.Options["hostaddr"]
	if !given {
		return nil
	}
	if _, err := netip.ParseAddr(address); err != nil {
		return fault.New(fault.Invalid, "%s: hostaddr of node %s is %.100q; it must be an IP address", where, node.Name, address)
	}
	if strings.HasPrefix(node.Host, "/") {
		return fault.New(fault.Invalid, "%s: node %s has a hostaddr and the directory of a socket; set only one", where, node.Name)
	}
	return nil
}

func hasNUL(values ...string) bool {
	return slices.ContainsFunc(values, func(value string) bool { return strings.ContainsRune(value, 0) })
}
