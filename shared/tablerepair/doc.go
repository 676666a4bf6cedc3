// Package tablerepair makes the rows of a diff document equal on other nodes to those of
// a source of truth, and undoes such a repair.
//
// The document only determines which keys are read: the keys listed for the pair of
// source and target. The values are read from the databases as they are now.
//
// # An attempt
//
// Each target is repaired in a transaction of its own. An attempt to do so has these
// steps (attempt.go):
//
//  1. Acquire an advisory lock on the target that only one repair of a table can hold,
//     and check the task's lease.
//  2. Lock the target's table, and then its rows.
//  3. Wait until the source has received the earlier writes of the target (lag.go).
//  4. Read the source in one snapshot and decide what to do with each row (decide.go).
//  5. Store the before-images, then a manifest that names the transaction (record.go).
//  6. Read the source again for the keys of the rows to delete (recheck.go).
//  7. Apply the stored changes (apply.go).
//  8. Read the source again for the keys of the inserted rows (recheck.go).
//  9. Read every row back (verify.go), check the lease again, and commit.
//
// The manifest names the transaction, and the target reports whether it committed
// (settle.go). After a crash, the next run asks the target. If only the response to
// COMMIT was lost, the same run does so.
//
// # Why the rows are locked before the source is read
//
// Suppose that the source's changes are replicated to the target, and that the repair
// read a value on the source before it locked the target's row. The value may be old:
//
//  1. A client changes the row on the source.
//  2. Replication applies the change to the target.
//  3. The repair locks the target's row and replaces the new value by the old one. No
//     further change follows, so the target keeps the old value.
//
// In the same way the repair would delete a row that was inserted after the source was
// read. Once the target's row is locked, replication can apply a change of the source
// only at one of two times:
//
//   - before the source is read: then the repair reads the changed row;
//   - after the repair's COMMIT, because the apply process waits for the row lock: then
//     it overwrites the repair.
//
// So an attempt first locks all of a target's rows, in key order. Then it reads the
// source in one snapshot.
//
// A row that does not exist cannot be locked. Two rules cover it:
//
//  1. A row may appear on the target after the locks were acquired. If the attempt finds
//     it when it decides, or inserts a row with the same key, the attempt is rolled back
//     and repeated. The next attempt locks the row.
//  2. Before the repair inserts a row, replicated updates of that row find nothing and
//     are lost. If the row itself is still to be replicated, inserting it would stop
//     replication with a conflict. After the insertion any replicated change of the row
//     waits until the repair ends. So the source is read again after the insertions. If
//     the source's row has changed since the decision, or may still be on its way to the
//     target, the insertion is undone and the row counts as skipped.
//
// # Why a row is deleted only where its key is absent at the source
//
// A key is considered absent if a look-up on the source finds no row. These steps make
// sure that the row really does not exist:
//
//  1. The target's row is locked and read. No other transaction can change it until the
//     attempt ends.
//  2. The source's table is locked, in ACCESS SHARE mode, before the snapshot is taken. A
//     rewrite of a table (ALTER TABLE, VACUUM FULL, TRUNCATE, pg_repack) is not
//     MVCC-safe: a snapshot that is older than the rewrite finds no rows. A rewrite needs
//     a lock that conflicts with ours. So it ends before we take the snapshot, or begins
//     after our transaction has ended.
//  3. Each read of the source checks, under its lock, that the table's files are those of
//     the plan. Otherwise the attempt fails. This covers a role that may not lock the
//     table, and a table that was replaced by another one of the same name.
//  4. Before the first row is deleted, the source is read again in the same way, in a new
//     snapshot. If a key exists there now, the target's row is not deleted: it counts as
//     skipped, and the attempt stores it with the altered rows (finalrows.go). The next
//     repair compares both rows.
//
// Step 4 has one exception. The key exists on the source now, and the source wrote its
// row after the last change that the target is known to have applied. Then replication
// has yet to deliver the row, and cannot insert it while the target's row exists. So the
// target's row is deleted, and the replicated insertion takes effect after our COMMIT.
//
// A row that appears on the source after step 4 is not noticed, just as if it had
// appeared after COMMIT.
//
// The target's table is locked too, directly after the advisory lock, and its files are
// checked. So a row that only seems absent because the table is being rewritten is not
// inserted.
//
// An undo has no source. It deletes a row only if it has locked the row and the row is
// still as the repair left it.
//
// # Why the source must have received the target's changes
//
// Suppose that the target's changes are replicated to the source too:
//
//  1. A client changes a row on the target. The change has not reached the source yet.
//  2. The repair would treat the row as a difference and write the source's old value.
//  3. The new value would reach the source later, or would be overwritten if the repair's
//     change arrives after it.
//
// The repair waits three times for replication to the source (lag.go):
//
//  1. before it begins, while it holds no locks;
//  2. after the rows are locked, for everything written before that;
//  3. before it reads the source again for the inserted rows.
//
// It waits for every node of the cluster from which the source receives this table. If a
// node cannot be reached and is neither source nor target, this only causes a warning.
// Then a change that came from such a node to the target, but has not reached the source,
// goes unnoticed.
//
// # Why a runner that lost the task cannot write a row
//
// A runner that has lost the lease may still be running: paused, or cut off from the
// archive. Its attempt compares the task's lease with the token that it was started with.
// It does so twice: after it has acquired the advisory lock, and before COMMIT. The new
// runner, which has the lease now, draws no conclusion about this node before it holds
// the advisory lock. A transaction holds that lock until it ends. So there are three
// cases:
//
//  1. The lease changed before the old attempt compared it. Then the old attempt rolls
//     back.
//  2. The lease changed afterwards. Then the new runner waits for the advisory lock until
//     the old transaction has ended, and finds its manifest, which was stored before
//     COMMIT.
//  3. The old attempt acquires the advisory lock later than the new runner. Then it finds
//     the lease changed, and rolls back.
//
// Two more rules hold. First, an attempt ends before it changes anything if the archive
// already has an object of an attempt with the same number. Of two such attempts that run
// at once, at most one commits, because only one of them can create the manifest. Second,
// a new attempt begins only when the previous one is known to be rolled back.
//
// # A repair by rule
//
// Such a repair has no source. It decides each key once, from the versions of all nodes,
// and stores the decisions before it changes a node (deciding.go). Then it changes one
// node after the other. In an attempt, the stored winners take the place of the source's
// rows (winners.go), and every other node that has a version takes the place of the
// source in the waits and checks above. See rule.go for why every node gets the same
// winner.
//
// # What is sent only as a digest
//
// The statement that locks the target's rows returns them whole. No other transaction can
// change a locked row, so the attempt decides by these rows and does not read them again.
//
// A repair reads the source's row with its digest. After the changes are applied, an
// updated or inserted row must have the same digest on the target, and an inserted row
// still on the source. The expression is that of a comparison (package rowdigest), with
// seeds drawn for the plan: two rows that differ have the same digest with probability
// 2^-64. Different digests prove nothing, so the texts of these rows are read and
// compared. Texts alone are used if the rows cannot become equal in all columns, for
// example because the document ignores a column, and in an undo, which has no source.
//
// A repair by rule compares the digests of the other nodes' rows with those that the
// decision has seen. Digests of rows whose keys are close together are read by ranges of
// the key's index (digests.go).
//
// # What the package guarantees
//
// A before-image contains only the columns of the plan. So an attempt checks that the
// table has exactly these columns. It does so after it has locked the rows. From then on
// the table cannot be altered.
//
// An attempt that failed because a node or the archive cannot be used is repeated as long
// as the request's patience allows. Between two attempts no transaction is open, so no
// lock is held. For the same reason, an attempt does not retry a read of the archive for
// long: it fails and rolls back instead.
//
// The package writes to a node only in an attempt's transaction, except for an empty
// logical message in the WAL of a node whose subscribers it waits for. It never assumes
// that a transaction was committed because COMMIT was sent. It never replaces an object
// that an undo or a later run relies on.
package tablerepair
