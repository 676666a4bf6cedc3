package render

import (
	"context"
	"io"

	"ace/shared/rowpairs"
)

// HTMLWithin is HTML with another maxEmbedded.
func HTMLWithin(ctx context.Context, w io.Writer, open rowpairs.Opener, maxEmbedded int64) error {
	return writeHTML(ctx, w, open, maxEmbedded)
}

// Hidden says whether a character is shown by its number.
func Hidden(before, r rune) bool { return hidden(before, r) }
