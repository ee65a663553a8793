package storage

import "context"

// Sequence is a point in the store's own order of transactions. A transaction that ends sessions counts it up, and
// every record keeps the sequence of the transaction that created it, so a termination takes what was committed
// before it whatever the clock showed. Times only date records and let them expire.
//
// What is issued without a transaction (a sealed authorization code, a JWT access token of a client) carries the
// sequence that [Order.Sequence] returned before the records behind it were read. A lower sequence than a cutoff's
// was issued before it.
type Sequence uint64

// Order gives the present point in the store's order.
type Order interface {
	// Sequence returns the sequence of the latest durable transaction. It costs no disk access.
	Sequence(ctx context.Context) (Sequence, error)
}
