// Package dirstore implements archive.Store on a directory of this host. One process at a
// time uses the directory.
//
//	files/PATH      the content of an object and nothing else, so that any tool can read it
//	sums/PATH       its SHA-256, as sha256sum writes it, and its content type
//	journal/N.log   the newest writes, which a power loss may remove from files/ and sums/
//	tmp/            files that are being written; deleted at the start
//	lock            locked while a process uses the directory; contains its process id
//
// PATH is the key of the object. Characters other than a-z, 0-9 and . _ - + = , @ ~ are
// written as %xx, so keys are distinct on file systems that ignore case, and no key leads
// out of the directory (names.go).
//
// A write has these steps, and returns after the last one:
//
//  1. The content and its sum are written to tmp/. If this fails, nothing has happened.
//  2. The condition of the write is checked, under the lock of the key.
//  3. A record with the whole content is appended to the journal, and the journal is
//     synced (fdatasync). This step makes the write durable. Concurrent writes share a
//     sync. Content of more than inlineLimit bytes is not in the record: its file in tmp/
//     was synced before.
//  4. Both files are renamed to their places: first the sum, then the content. They are
//     not synced.
//
// When the journal has grown, a checkpoint syncs the file system (syncfs) and then
// deletes the journal. At the start, all records of the journal are applied again, in
// their order. So if the process is killed or the power is lost, at any moment, no write
// that has returned is lost. A write that has not returned is there completely or not at
// all. A deletion is a record, too. No kind of object is written without a sync.
//
// A snapshot (Snapshot) is the state of all objects at one moment, for a backup while the
// service runs. It relies on step 4: the content of a file never changes, a file is only
// replaced or deleted.
//
// After an error that leaves it unclear what is durable, such as a failed sync, the store
// refuses all further writes. The next start applies the journal.
//
// Content of up to verifyAtOnce bytes is verified before Get or GetRange returns it.
// Larger content is verified while it is read from its beginning to its end: the read of
// the last bytes fails if they do not match the sum. A range of a larger object is not
// verified. Damage is a fault with code Internal that names the object.
package dirstore
