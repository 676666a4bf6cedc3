// Package gateway runs an S3 server inside the process, which stores its objects in a
// directory. So `ace serve` needs no other service, although the archive is always
// accessed through the S3 protocol. The server is versitygw with its POSIX backend, which
// stores each object as a file, and the object's metadata in the file's extended
// attributes.
//
// The package owns the data directory (mode 0700, because the archive contains row data)
// and locks it against a second process. Everything in the directory must belong to the
// service's user and be inaccessible to others (see package private). Otherwise Start
// fails.
//
//	credentials.json   access and secret key, random, created at the first start, mode 0600
//	lock               locked as long as the gateway runs
//	objects/<bucket>/  the objects
//
// The package guarantees conditional writes without lost updates. It does not call fsync:
// objects survive the end of the process by any signal, but not a loss of power.
//
// The server listens on loopback only, on a port that the operating system selects. A
// process can have only one gateway, because the backend changes the state of the
// process: it makes objects/ the WORKING DIRECTORY of the process, from Start until
// Close. Paths that are used in between must be made absolute before Start.
package gateway
