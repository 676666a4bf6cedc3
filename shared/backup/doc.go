// Package backup is the format of a backup of an archive in a directory. A backup is a
// tar file with the layout of the directory, so `tar -x` into an empty directory restores
// it:
//
//	sums/PATH    the SHA-256 of an object and its content type
//	files/PATH   the content of the object
//	...
//	backup.json  the last entry: what the backup must have (Manifest)
//
// The sum of an object precedes its content, so a reader verifies each object while it
// reads. A backup without its last entry is not complete. Read refuses it, and also one
// of which any byte of an object or of a sum was changed, or an entry removed.
//
// An object that is damaged in the archive itself is written as it is, because one
// damaged document must not prevent the backup of all others. The manifest names it.
package backup
