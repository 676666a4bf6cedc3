// Package private decides whether a file or directory of this host may be trusted: whether it belongs to the user that
// the service runs as, and is closed to others. Whoever may write a cluster definition can send the service to another
// server, and whoever may write into the data directory can have it overwrite files of its user.
//
// What the service owns (its data directory) must be its user's own, closed, and without links or devices: Directory,
// Tree, Open, Write. What it only reads may lie behind links and belong to root: Secret for what must not be read by
// others, Instructions for what must not be written by others.
//
// Every refusal is a fault with code Invalid that names the path, its owner and mode, and the command to run. The
// directories above a path may be writable by others, as /tmp is: they can take the path away, but what they put there
// does not belong to the service's user, and is refused.
package private
