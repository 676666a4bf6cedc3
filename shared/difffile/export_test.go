package difffile

import "io"

// OpenLimited is Open with a limit instead of MaxValue.
func OpenLimited(r io.Reader, maxValue int) (*Reader, error) { return open(r, maxValue) }
