// Package gateway runs an S3 server inside the process over a directory, so that `ace
// serve` needs no other service: the archive speaks the S3 protocol everywhere, here to
// itself. The server is versitygw with its POSIX backend, which keeps each object as a
// file and what S3 knows about it in the file's extended attributes.
//
// It owns the data directory (0700: the archive holds row data) and locks it against a
// second process. All of it must belong to the service's user and be closed to others,
// see package private; else Start refuses it.
//
//	credentials.json   access and secret key, random, made at the first start, 0600
//	lock               held for as long as the gateway runs
//	objects/<bucket>/  the objects
//
// It promises conditional writes without lost updates. It does not fsync: what was
// written survives the end of the process by any signal, not the loss of power.
//
// It listens on loopback only, on a port of the system's choice. There is one gateway per
// process, because the backend keeps its state in the process: above all, it makes
// objects/ the WORKING DIRECTORY of the process, from Start until Close. Paths that are
// to be used meanwhile must be made absolute before Start.
package gateway
