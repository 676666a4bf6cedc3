// Package tablerepair makes the rows of a diff document on other nodes equal to those of a source of truth, and takes such
// a repair back.
//
// The document only says which keys to look at; values come from the databases as they are now. Each target is repaired
// in one transaction of its own (attempt.go), which takes a lock that only one repair of a table can hold, the fence;
// locks the target's rows, decides (decide.go), stores before-images and a manifest that names the transaction (record.go),
// applies what was stored (apply.go), reads every row back (verify.go), and commits. Whether it did is found out from
// the manifest (settle.go), by whoever goes on after a crash and by the attempt itself when the answer to COMMIT is lost.
//
// Why nobody who lost the task can write a row. A runner that was replaced may still be at work: paused, or cut off from
// the archive. Its attempt compares the task's lease with the token it was started with after it has the fence, and again
// before COMMIT. Whoever acquired the lease since then has not concluded anything about this node without taking the
// fence first, and the fence is held to the end of a transaction. So either the lease changed before the old attempt
// looked, and it rolls back; or it changed afterwards, and then the new runner waits for the fence until the old
// transaction has ended, and finds its manifest, which was stored before COMMIT. An old attempt that gets the fence
// later than that finds the lease changed. Objects of an attempt are create-only, so two runners that pick the same
// number collide before either commits. A new attempt begins only when the one before is known to be rolled back.
//
// The package never writes to a node but in an attempt's transaction, never believes that a commit happened because it
// was sent, and never replaces an object.
package tablerepair
