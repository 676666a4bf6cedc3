package rowpairs

import "context"

// OpenWithin is Open with a limit of marks.
func OpenWithin(ctx context.Context, open Opener, maxMarks int) (*Document, error) {
	return survey(ctx, open, maxMarks)
}
