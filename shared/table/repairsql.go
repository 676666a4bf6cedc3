package table

// RepairOrigins is the number of replication origins that repairs use on a node. Their
// names consist of RepairOrigin and a number from 1. Only one session at a time can use
// an origin. So RepairOrigins is also the maximum number of concurrent repairs on the
// node whose changes have an origin.
const (
	RepairOrigins = 8
	RepairOrigin  = "ace_repair_"
)

// HasSpock is a condition: Spock is installed. A function spock.repair_mode counts only
// if it belongs to the extension, because any role that may create schemas can create a
// schema with this name.
const HasSpock = `EXISTS (SELECT FROM pg_catalog.pg_depend d
               JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
               WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
                 AND d.objid OPERATOR(pg_catalog.=) pg_catalog.to_regprocedure('spock.repair_mode(boolean)')::pg_catalog.oid
                 AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid
                 AND d.deptype OPERATOR(pg_catalog.=) 'e' AND e.extname OPERATOR(pg_catalog.=) 'spock')`

// TryRepairLock returns a boolean expression that acquires the lock of the repairs of a
// table until the transaction ends. The value of the expression is false if another
// session has the lock. name is an expression for the table's quoted name with its
// schema.
func TryRepairLock(name string) string {
	return "pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(pg_catalog.concat('ace-repair/', pg_catalog.current_database(), '/', " + name + "), 0))"
}
