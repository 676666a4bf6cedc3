package part

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"ace/shared/archive"
	"ace/shared/fault"
)

// footer is the last line of a part. It can be read without the rows, so it repeats the
// header and carries a checksum of itself.
type footer struct {
	Header
	Totals json.RawMessage `json:"totals"`
	Rows   int64           `json:"rows"`
	SHA256 string          `json:"sha256"` // SHA-256 of all bytes before this line
	Check  string          `json:"check"`  // SHA-256 of all fields above, see checksum
}

// checksum computes Check.
func (f footer) checksum() string {
	fields := fmt.Appendf(nil, "%q %q %q %s %d %s", f.TaskID, f.PlanHash, f.Unit, f.Totals, f.Rows, f.SHA256)
	sum := sha256.Sum256(fields)
	return hex.EncodeToString(sum[:])
}

var errNoFooter = errors.New("the last line is not a footer")

// readFooter decodes a footer from a line that ends with a newline. It accepts only the
// exact bytes that a Writer writes.
func readFooter(line []byte) (footer, error) {
	var f footer
	text, whole := bytes.CutSuffix(line, []byte("\n"))
	if !whole || json.Unmarshal(text, &f) != nil || f.Check != f.checksum() {
		return footer{}, errNoFooter
	}

	written, err := json.Marshal(f)
	if err != nil || !bytes.Equal(written, text) {
		return footer{}, errNoFooter
	}
	return f, nil
}

// tailSize is the number of bytes at the end of a part that are read first to find the
// footer.
const tailSize = 64 << 10

// ReadTotals decodes the totals of a part into totals, without reading the rows. It
// returns an error if the part does not have the header want, and archive.ErrNotFound if
// there is no part. ReadTotals does not verify the rows; only a Reader does that.
func ReadTotals(ctx context.Context, store archive.Store, key string, want Header, totals any) error {
	line, err := lastLine(ctx, store, key)
	if err != nil {
		return err
	}

	f, err := readFooter(line)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "part %s is damaged", key)
	}
	if err := checkHeader(key, f.Header, want); err != nil {
		return err
	}
	return decodeTotals(key, f.Totals, totals)
}

// lastLine returns the last line of an object. It first reads only the last tailSize
// bytes. If the line is longer, it reads four times as many bytes, until the line is
// complete.
func lastLine(ctx context.Context, store archive.Store, key string) ([]byte, error) {
	for size := int64(tailSize); ; size *= 4 {
		tail, whole, err := readTail(ctx, store, key, size)
		if err != nil {
			return nil, err
		}
		if at := bytes.LastIndexByte(bytes.TrimSuffix(tail, []byte("\n")), '\n'); at >= 0 {
			return tail[at+1:], nil
		}
		if whole {
			return tail, nil
		}
	}
}

// readTail reads the last bytes of an object, and reports whether these are all.
func readTail(ctx context.Context, store archive.Store, key string, size int64) (tail []byte, whole bool, err error) {
	object, err := store.GetTail(ctx, key, size)
	if err != nil {
		return nil, false, err
	}
	defer object.Body.Close()

	tail, err = io.ReadAll(object.Body)
	if err != nil {
		return nil, false, fault.Wrap(err, fault.Unavailable, "part %s cannot be read", key)
	}
	return tail, size >= object.Size, nil
}

func decodeTotals(key string, raw json.RawMessage, totals any) error {
	if err := json.Unmarshal(raw, totals); err != nil {
		return fault.Wrap(err, fault.Internal, "part %s: cannot decode its totals", key)
	}
	return nil
}
