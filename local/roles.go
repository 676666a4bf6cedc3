package main

import (
	"context"
	"time"

	"ace/shared/app"
)

// rolesTime bounds the check of all roles at the start.
const rolesTime = time.Minute

// lesserRole is the end of the warning about a superuser: why such a role is dangerous
// and which role to use instead.
const lesserRole = "functions of the compared tables run with its rights. Use a role with GRANT USAGE ON SCHEMA and " +
	"GRANT SELECT ON TABLE, for repairs also INSERT, UPDATE and DELETE, see docs/SECURITY.md"

// warnOfClusters logs a warning for each setting of a definition that has no effect. It
// connects to every node and logs a warning for each node on which the role is a
// superuser. It ignores definitions and nodes that cannot be used: the tasks that need
// them will fail, but not the start of the service.
func (s *service) warnOfClusters(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, rolesTime)
	defer cancel()

	names, _ := s.clusters.Names(ctx)
	for _, name := range names {
		definition, err := s.clusters.Load(ctx, name)
		if err != nil {
			continue
		}
		for _, warning := range definition.Warnings {
			s.log.WarnContext(ctx, "a setting of a cluster definition has no effect", "setting", warning)
		}
		checks, err := app.CheckNodes(ctx, definition)
		if err != nil { // the context has ended
			return
		}
		for _, check := range checks {
			if check.Err == nil && check.Login.Superuser {
				s.log.WarnContext(ctx, "the role is a superuser", "cluster", name, "node", check.Login.Node,
					"address", check.Login.Address, "role", check.Login.Role, "remedy", lesserRole)
			}
		}
	}
}
