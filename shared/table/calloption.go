package table

// CallOption selects what happens to a transaction after one of its calls. Without an
// option the transaction stays open, with the locks that the call acquired. Options are
// combined with |.
type CallOption uint8

const (
	// ReleaseLocks releases the locks that the call acquired. It does not end the
	// transaction or change its snapshot. It does not release the lock that Access.Lock
	// acquires at the beginning of the transaction. Without Access.Lock, the call leaves no
	// lock on the table, so a session that alters the table need not wait for the end of the
	// transaction.
	ReleaseLocks CallOption = 1 << iota
	// EndTransaction ends the transaction in the same round trip as the call. Over a slow
	// network, that halves the duration of a transaction with only one call. The next
	// call begins another transaction.
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
