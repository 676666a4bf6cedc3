package rowpairs

import "context"

// OpenWithin is Open with a limit of marks.
func OpenWithin(ctx context.Context, open Opener, maxMarks int) (*Document, error) {
	return survey(ctx, open, maxMarks)
}

// KeysWithin is Keys with a limit of marks.
func (d *Document) KeysWithin(ctx context.Context, maxMarks int) (*Keys, error) {
	return d.keys(ctx, maxMarks)
}
