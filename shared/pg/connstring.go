package pg

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"ace/shared/cluster"
)

// connString returns a target as a libpq keyword/value string, without its password.
func connString(t cluster.Target) string {
	settings := maps.Clone(t.Options)
	if settings == nil {
		settings = map[string]string{}
	}

	settings["host"] = t.Host
	settings["port"] = strconv.Itoa(int(t.Port))
	settings["dbname"] = t.Database
	settings["user"] = t.User
	delete(settings, "password")
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s='%s' ", name, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(settings[name]))
	}

	return b.String()
}

// poolKey returns a string that differs for targets that must not share connections. It
// contains the password and must not leave the memory of the process.
func poolKey(t cluster.Target) string {
	return fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%t", t.Node, connString(t), t.Password.Reveal(), t.PasswordSecret, t.RDSIAM)
}

// address returns host, port and database for messages.
func address(t cluster.Target) string {
	return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port))) + "/" + t.Database
}
