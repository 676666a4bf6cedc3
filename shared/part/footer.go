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

// footer is the last line of a part. It can be read without the rows, so it names the unit once more and carries a check of
// itself.
type footer struct {
	Header
	Totals json.RawMessage `json:"totals"`
	Rows   int64           `json:"rows"`
	SHA256 string          `json:"sha256"` // of every byte before this line
	Check  string          `json:"check"`  // SHA-256 of all fields above
}

// check computes Check.
func (s footer) check() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %s %d %s", s.TaskID, s.PlanHash, s.Unit, s.Totals, s.Rows, s.SHA256))
	return hex.EncodeToString(sum[:])
}

var errNoFooter = errors.New("the last line is not a footer")

// readFooter reads a whole line. Only the very bytes that a Writer writes are a footer.
func readFooter(line []byte) (footer, error) {
	var s footer
	text, whole := bytes.CutSuffix(line, []byte("\n"))
	if !whole || json.Unmarshal(text, &s) != nil || s.Check != s.check() {
		return footer{}, errNoFooter
	}
	written, err := json.Marshal(s)
	if err != nil || !bytes.Equal(written, text) {
		return footer{}, errNoFooter
	}
	return s, nil
}

// tailSize is how much of a part's end is read at first to find the footer.
const tailSize = 64 << 10

// ReadTotals decodes the totals of the part of this unit without reading its rows; their check is left to whoever reads
// them. archive.ErrNotFound if there is no such part.
func ReadTotals(ctx context.Context, store archive.Store, key string, want Header, totals any) error {
	info, err := store.Stat(ctx, key)
	if err != nil {
		return err
	}
	line, err := lastLine(ctx, store, info)
	if err != nil {
		return err
	}
	s, err := readFooter(line)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "part %s is damaged", key)
	}
	if err := checkHeader(key, s.Header, want); err != nil {
		return err
	}
	return decodeTotals(key, s.Totals, totals)
}

// lastLine reads an object's last line: as much of its end as that takes.
func lastLine(ctx context.Context, store archive.Store, info archive.Info) ([]byte, error) {
	for size := int64(tailSize); ; size *= 4 {
		tail, err := readTail(ctx, store, info, size)
		if err != nil {
			return nil, err
		}
		if at := bytes.LastIndexByte(bytes.TrimSuffix(tail, []byte("\n")), '\n'); at >= 0 {
			return tail[at+1:], nil
		}
		if size >= info.Size {
			return tail, nil
		}
	}
}

func readTail(ctx context.Context, store archive.Store, info archive.Info, size int64) ([]byte, error) {
	object, err := store.GetRange(ctx, info.Key, info.ETag, max(0, info.Size-size), -1)
	if err != nil {
		return nil, err
	}
	defer object.Body.Close()
	tail, err := io.ReadAll(object.Body)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "part %s cannot be read", info.Key)
	}
	return tail, nil
}

func decodeTotals(key string, raw json.RawMessage, totals any) error {
	if err := json.Unmarshal(raw, totals); err != nil {
		return fault.Wrap(err, fault.Internal, "part %s has totals of another kind", key)
	}
	return nil
}
