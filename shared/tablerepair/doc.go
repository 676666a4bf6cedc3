// Package tablerepair makes the rows of a diff document equal on other nodes to those of
// a source of truth, and undoes such a repair.
//
// The document only says which keys to read: those of the pair of source and target.
// Values come from the databases as they are now.
//
// # An attempt
//
// Each target is repaired in a transaction of its own. An attempt to do so has these
// steps (attempt.go):
//
//  1. Acquire an advisory lock on the target that only one repair of a table can hold,
//     and check the task's lease.
//  2. Lock the target's table, and then its rows.
//  3. Wait until the source has what was written on the target before (lag.go).
//  4. Read the source in one snapshot and decide what to do with each row (decide.go).
//  5. Store the before-images, then a manifest that names the transaction (record.go).
//  6. Read the source again for the rows to delete (recheck.go).
//  7. Apply the stored changes (apply.go).
//  8. Read the source again for the rows that were inserted (recheck.go).
//  9. Read every row back (verify.go), check the lease again, and commit.
//
// The manifest shows whether the attempt was committed (settle.go). The next run asks it
// after a crash, and the same run asks it when the response to COMMIT is lost.
//
// # Why the rows are locked before the source is read
//
// Suppose that replication brings the source's changes to the target, and that a value
// was read before the target's row was locked. The value may be old:
//
//  1. The source changes the row.
//  2. Replication applies the change to the target.
//  3. The repair locks the row and writes the old value over the new one. The old value
//     stays for ever, since no further change follows.
//
// In the same way the repair would delete a row that was inserted since. Once the
// target's row is locked, a change can only be applied at one of two times:
//
//   - before the source is read: then the source shows it;
//   - after the repair's COMMIT, for which the process that applies it waits: then it
//     overwrites the repair.
//
// All of a target's rows are locked first, in key order, and the source is read at one
// moment.
//
// A row that does not exist cannot be locked. Two rules cover it:
//
//  1. A row may appear whose key had none when the locks were acquired. Whether the
//     decision reads it or the insertion collides with it, the attempt is rolled back and
//     repeated. The next attempt locks the row.
//  2. While the row does not exist, a change that is applied finds no row and is lost.
//     And a row that replication has yet to insert stops replication if it exists
//     already. After the insertions any change to those rows has to wait for the repair.
//     So the source is then read once more. If it has written the row of an insertion
//     since replication had last caught up, the insertion is undone and the row counts as
//     skipped.
//
// # Why a row is deleted only where its key is absent at the source
//
// A key is absent for the repair when a look-up of the source finds no row. These are the
// steps:
//
//  1. The target's row is locked and read. No other transaction can change it until this
//     one ends.
//  2. The source's table is locked, in ACCESS SHARE mode, before the snapshot is taken. A
//     rewrite of a table (ALTER TABLE, VACUUM FULL, TRUNCATE, pg_repack) is not
//     MVCC-safe: a snapshot that is older than the rewrite finds no rows. A rewrite needs
//     a lock that conflicts with ours. So it ends before our snapshot or begins after our
//     transaction.
//  3. Each read of the source checks, under its lock, that the table's files are those of
//     the plan. Otherwise the attempt fails. This covers a role that may not lock the
//     table, and a table that was replaced by another one of the same name.
//  4. Before the first row is deleted, the source is read again in the same way, in a new
//     snapshot. A key that exists there now is not deleted: the row stays, counts as
//     skipped, and the attempt's part of altered rows records it. The next repair
//     compares both rows.
//  5. Exception: replication is bringing the row that step 4 found, because the row was
//     written after the last change that is known to be applied. It could not be inserted
//     while the target's row exists, so the target's row is deleted. The insertion waits
//     for our COMMIT and takes effect after it.
//
// A row that reaches the source after step 4 is treated like one that arrives after
// COMMIT.
//
// The target's table is locked too, directly after the advisory lock, and its files are
// checked. So no row is inserted that only seemed absent because the table was being
// rewritten.
//
// An undo has no source. It deletes only rows that it has locked and read as the repair
// left them.
//
// # Why the source must have received the target's changes
//
// Suppose that replication brings the target's changes to the source too:
//
//  1. A row is written on the target and is on its way to the source.
//  2. The repair would take it for a difference and write the source's old value back.
//  3. The new value would reach the source afterwards, or be lost if the repair's change
//     follows it.
//
// So the repair waits three times (lag.go): before it begins, when it holds no lock; once
// the rows are locked, for what was written until then; and before it reads the source
// for the rows that it inserted.
//
// It waits for every node of the cluster from which the source receives this table. A
// node that is neither source nor target and that cannot be asked only causes a warning.
// Then the repair cannot see a change that reached the target from such a node and is
// still on its way from there to the source.
//
// # Why a runner that lost the task cannot write a row
//
// A runner that was replaced may still be at work: paused, or cut off from the archive.
// Its attempt compares the task's lease with the token that it was started with. It does
// so twice: after it has acquired the advisory lock, and before COMMIT. The runner that
// acquired the lease since then concludes nothing about this node before it holds the
// advisory lock, and that lock is held to the end of a transaction. So there are three
// cases:
//
//  1. The lease changed before the old attempt compared it. Then the old attempt rolls
//     back.
//  2. The lease changed afterwards. Then the new runner waits for the advisory lock until
//     the old transaction has ended, and finds its manifest, which was stored before
//     COMMIT.
//  3. The old attempt acquires the advisory lock later than the new runner. Then it finds
//     the lease changed.
//
// Two more rules hold. An attempt does not begin if its number has left any object in the
// archive; its objects are created only if absent, so of two attempts with the same
// number at most one commits. And a new attempt begins only when the previous one is
// known to be rolled back.
//
// # What the package guarantees
//
// A before-image cannot hold a column that the plan does not know. So when the rows are
// locked and the table cannot be altered, an attempt checks that the table's columns are
// those of the plan.
//
// The package writes to a node only in an attempt's transaction, except for an empty
// message to the log of a node whose subscribers it waits for. It never concludes from a
// sent COMMIT that the transaction was committed. It never replaces an object that an
// undo or a later run relies on.
package tablerepair
