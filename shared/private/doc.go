// Package private checks whether a file or directory of this host can be trusted: whether
// it belongs to the user that the service runs as, and whether other users have no
// access. A user who can write a cluster definition can redirect the service to another
// server. A user who can write to the data directory can make the service overwrite other
// files.
//
// The functions Directory, Tree, Open and Write are for the data directory, which the
// service owns: it must belong to the service's user, must be inaccessible to others, and
// must contain no links or devices. The functions Secret and Instructions are for files
// that the service only reads. The path of such a file may contain links, and the file
// may belong to root. Secret is for files that others must not read. Instructions is for
// files that must not be world-writable; Doubts returns a warning if such a file belongs
// to another user or is writable by its group. Below is for files whose paths a client of
// the service chooses: they must be below a certain directory.
//
// A failed check is a fault with code Invalid that names the path, its owner and mode,
// and the command that corrects it. Other users may be able to write to the parent
// directories of a path, such as /tmp. They can then remove the path, but a replacement
// does not belong to the service's user and fails the check.
package private
