package storage

import "context"

// Sequence is a point in the store's own order of transactions. Every transaction that ends sessions raises it. Every
// record contains the sequence of the transaction that created it. A termination therefore ends all records that were
// committed before it, whatever time the clock showed. Times only date records and let them expire.
//
// Authorization codes and client_credentials JWTs are issued without a transaction. They contain the sequence that
// [Order.Sequence] returned before the client, session and consent were read. If that is lower than the sequence of a
// cutoff, they were issued before the cutoff.
type Sequence uint64

// Order returns the current point in the store's order.
type Order interface {
	// Sequence returns the sequence of the latest durable transaction. It costs no disk access.
	Sequence(ctx context.Context) (Sequence, error)
}
