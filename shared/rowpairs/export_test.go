package rowpairs

import "context"

// OpenWithin is Open with another maxMarks.
func OpenWithin(ctx context.Context, open Opener, maxMarks int) (*Document, error) {
	return survey(ctx, open, maxMarks)
}
