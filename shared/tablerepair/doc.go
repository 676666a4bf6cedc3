// Package tablerepair makes the rows of a diff document on other nodes equal to those of a source of truth, and takes such
// a repair back.
//
// The document only says which keys to look at, those of the pair of source and target; values come from the databases as
// they are now. Each target is repaired in one transaction of its own (attempt.go), which takes a lock that only one repair
// of a table can hold, the fence; locks the target's rows; takes one snapshot of the source and decides (decide.go); stores
// before-images and a manifest that names the transaction (record.go); looks at the source again for what it will delete;
// applies what was stored (apply.go); looks at the source again where it inserted (again.go); reads every row back (verify.go), and commits. Whether it did is found out from
// the manifest (settle.go), by whoever goes on after a crash and by the attempt itself when the answer to COMMIT is lost.
//
// Why the rows are locked before the source is read. Where replication brings the source's changes to the target, a
// value that was read before the lock may be old: the source changes, the change is applied to the target, and then the
// repair locks the row and writes the old value over the new one, for ever, since nothing will come after it. The same way
// it would delete a row that was inserted since. Once the target's row is locked, a change can only be applied before the
// source is read, which then shows it, or after the repair's COMMIT, for which whoever applies it waits, and so comes out
// on top. All of a target's rows are locked first, in key order, and the source is seen at one moment. A row that is not
// there cannot be locked. If one appears although its key had none when the locks were taken, be it seen when that is
// decided or met by the insertion, the attempt is rolled back and made again: the next one locks it. A change that is
// applied while the row is not there finds nothing to change and is lost, and a row that replication has yet to insert
// stops it if it is there already. So when rows were inserted, which makes whoever comes now wait, the source is looked at
// once more: an insertion whose row it has written since replication had last caught up is taken back, and counts as
// skipped.
//
// Why a row is deleted only where its key is absent at the source. A key is absent for the repair when a
// look-up of the source finds no row. These are the steps:
//
//  1. The target's row is locked and read. Nobody else can change it until the transaction ends.
//  2. The source's table is locked, in ACCESS SHARE mode, before the snapshot is taken. Rewriting a table
//     (ALTER TABLE, VACUUM FULL, TRUNCATE, pg_repack) is not MVCC-safe: a snapshot that is older than the
//     rewrite finds no rows. A rewrite needs a lock that excludes ours, so it is over before our snapshot or
//     begins after our transaction.
//  3. Each read of the source checks, under its lock, that the table's files are those of the plan, else the
//     attempt ends with an error. This covers a role that may not lock the table, and a table that was
//     replaced by another one of the same name.
//  4. Before the first row is deleted, the source is read again in the same way, in a new snapshot. A key that
//     is there now is not deleted: the row stays, counts as skipped, and the attempt's part of altered rows
//     says so. The next repair compares both rows.
//  5. Exception: replication is bringing the row that step 4 found, because it was written after the last
//     change that is known to be applied. It could not be inserted while the target's row is there, so this
//     one is deleted. The insertion waits for our COMMIT and comes out on top.
//
// A row that comes to the source after step 4 is as if it came after COMMIT. The target's table is locked
// too, right after the fence, and its files are checked: a row that is absent there is not inserted because
// the table was just being rewritten. An undo has no source. It deletes only rows that it has locked and read as the
// repair left them.
//
// Why the source must have what the target had. Where replication brings the target's changes to the source too, a row that
// was written on the target and is on its way would be taken for one to be mended: the repair would put the source's old
// value back, and the new one would come to the source, or be lost if the repair comes after it. So the repair waits before
// it begins, when nothing is locked, once more for what was written until the rows were locked, and again before it looks
// at the source for what it inserted (lag.go). It waits for what comes from the target itself: what came to the target from a third
// node, and is on its way from there to the source, it cannot see.
//
// Why nobody who lost the task can write a row. A runner that was replaced may still be at work: paused, or cut off from
// the archive. Its attempt compares the task's lease with the token it was started with after it has the fence, and again
// before COMMIT. Whoever acquired the lease since then has not concluded anything about this node without taking the
// fence first, and the fence is held to the end of a transaction. So either the lease changed before the old attempt
// looked, and it rolls back; or it changed afterwards, and then the new runner waits for the fence until the old
// transaction has ended, and finds its manifest, which was stored before COMMIT. An old attempt that gets the fence
// later than that finds the lease changed. An attempt whose number has left anything in the archive is not begun, and its
// objects are create-only, so of two that pick the same number one commits at most. A new attempt begins only when the one
// before is known to be rolled back.
//
// What a plan does not know of can be in no before-image: with the rows locked, when nobody can alter the table, an attempt
// makes sure that its columns are those of the plan.
//
// The package never writes to a node but in an attempt's transaction, and an empty message to the log of one whose
// subscribers it waits for, never believes that a commit happened because it
// was sent, and never replaces an object.
package tablerepair
