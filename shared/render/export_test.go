package render

import (
	"context"
	"io"

	"ace/shared/rowpairs"
)

// HTMLWithin is HTML with a limit of embedded bytes.
func HTMLWithin(ctx context.Context, w io.Writer, open rowpairs.Opener, maxEmbedded int64) error {
	return writeHTML(ctx, w, open, maxEmbedded)
}

// Hidden reports whether a character is shown as its number.
func Hidden(before, r rune) bool { return hidden(before, r) }
