package table

// CallOption selects what happens to a transaction after one of its calls. Without an
// option the transaction stays open, with the locks that the call acquired. Options are
// combined with |.
type CallOption uint8

const (
	// ReleaseLocks releases the locks that the call acquired; the transaction and its
	// snapshot stay. The lock on the table that the transaction acquired before its first
	// read (Access.Lock) stays too. Without that lock, a session that alters the table
	// need not wait for the end of the transaction.
	ReleaseLocks CallOption = 1 << iota
	// EndTransaction ends the transaction in the round trip of the call. That halves the
	// time of a transaction of one call over a slow network. The next call begins another
	// transaction.
	EndTransaction
)

// Has reports whether an option is set.
func (o CallOption) Has(option CallOption) bool { return o&option != 0 }

// Combine combines the options of a call.
func Combine(options []CallOption) CallOption {
	var combined CallOption
	for _, option := range options {
		combined |= option
	}
	return combined
}
