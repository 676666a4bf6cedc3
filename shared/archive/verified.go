package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"

	"ace/shared/fault"
)

// verifyAtOnce is the largest size in bytes of an object that OpenVerified itself reads
// completely and verifies. When the caller then reads such an object, it is fetched a
// second time.
const verifyAtOnce = 8 << 20

// OpenVerified is like Open for an object whose SHA-256 (hexadecimal) was recorded when
// it was written. If the object is damaged, the error is a fault with code Internal, and
// the object is never returned completely:
//
//   - OpenVerified fails for an object of up to 8 MiB.
//   - Read returns an error instead of the last bytes of a larger object that is read
//     from its beginning.
//   - If a larger object is to be read from another offset, Seek reads the whole object
//     first, and fails.
func OpenVerified(ctx context.Context, store Store, info Info, sum string) (io.ReadSeekCloser, error) {
	v := &verified{ReadSeekCloser: Open(ctx, store, info), info: info, sum: sum, hash: sha256.New()}
	if info.Size > verifyAtOnce {
		return v, nil
	}
	if err := v.prove(); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// verified is a reader that hashes the bytes that the caller reads. This verifies an
// object that is read from its beginning to its end without a gap.
type verified struct {
	io.ReadSeekCloser
	info   Info
	sum    string
	hash   hash.Hash
	hashed int64 // bytes in the hash so far; until the object is verified, also the offset of the next read
	proven bool
}

// Read returns the last bytes of an object only if the whole object is undamaged.
func (v *verified) Read(p []byte) (int, error) {
	n, err := v.ReadSeekCloser.Read(p)
	if v.proven || n == 0 {
		return n, err
	}
	v.hash.Write(p[:n])
	if v.hashed += int64(n); v.hashed < v.info.Size {
		return n, err
	}
	if err := v.check(); err != nil {
		return 0, err
	}
	return n, err
}

// Seek verifies the object if the next read would begin neither at its beginning nor at
// the end of the previous read.
func (v *verified) Seek(offset int64, whence int) (int64, error) {
	to, err := v.ReadSeekCloser.Seek(offset, whence)
	if err != nil || v.proven || to == v.hashed || to >= v.info.Size {
		return to, err
	}
	if to > 0 {
		if err := v.prove(); err != nil {
			return 0, err
		}
		return v.ReadSeekCloser.Seek(to, io.SeekStart)
	}
	v.restart()
	return to, nil
}

// prove reads and verifies the whole object, and then seeks to its beginning.
func (v *verified) prove() error {
	if _, err := v.ReadSeekCloser.Seek(0, io.SeekStart); err != nil {
		return err
	}
	v.restart()
	if _, err := io.Copy(v.hash, v.ReadSeekCloser); err != nil {
		return err
	}
	if err := v.check(); err != nil {
		return err
	}
	_, err := v.ReadSeekCloser.Seek(0, io.SeekStart)
	return err
}

func (v *verified) restart() {
	v.hash.Reset()
	v.hashed = 0
}

func (v *verified) check() error {
	if got := hex.EncodeToString(v.hash.Sum(nil)); got != v.sum {
		return fault.New(fault.Internal, "%s in the archive is damaged: its SHA-256 is %s, recorded is %s", v.info.Key, got, v.sum)
	}
	v.proven = true
	return nil
}
