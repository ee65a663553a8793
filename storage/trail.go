package storage

import "fmt"

// TrailVerifier verifies the audit trail, one line after the other. The zero value verifies a trail from its first line,
// without a key.
type TrailVerifier struct {
	Key        AuditKey    // every line must be authentic; empty: no MAC is verified
	Checkpoint *Checkpoint // a line that must be there; nil: none
	AnyStart   bool        // the first line may be any line, as in an export

	Lines   int    // verified lines
	LastSeq uint64 // of the last verified line
	Head    Hash   // of the last verified line

	foundCheckpoint bool
}

// TrailError says where the trail is not as it was written.
type TrailError struct {
	Line    uint64
	Problem string
}

func (e *TrailError) Error() string {
	return fmt.Sprintf("the trail breaks at line %d: %s", e.Line, e.Problem)
}

// Add verifies the next line. Its error is a *TrailError.
func (v *TrailVerifier) Add(e Event) error {
	if v.AnyStart && v.Lines == 0 {
		v.LastSeq, v.Head = e.Seq-1, e.Prev
	}
	switch {
	case !e.Follows(v.LastSeq, v.Head):
		return &TrailError{v.LastSeq + 1, "it was changed, or lines were removed"}
	case len(v.Key) > 0 && !e.Authentic(v.Key):
		return &TrailError{e.Seq, "it was not written with this key file"}
	case v.Checkpoint != nil && v.Checkpoint.Seq == e.Seq && v.Checkpoint.Hash != e.Hash:
		return &TrailError{e.Seq, "the checkpoint names another line"}
	}
	if v.Checkpoint != nil && v.Checkpoint.Seq == e.Seq {
		v.foundCheckpoint = true
	}
	v.Lines++
	v.LastSeq, v.Head = e.Seq, e.Hash
	return nil
}

// Finish verifies the end of the trail: the line of the checkpoint was there. Its error is a *TrailError.
func (v *TrailVerifier) Finish() error {
	if v.Checkpoint != nil && v.Checkpoint.Seq > 0 && !v.foundCheckpoint {
		return &TrailError{v.LastSeq + 1, fmt.Sprintf(
			"line %d of the checkpoint is missing: the end of the trail was cut off", v.Checkpoint.Seq)}
	}
	return nil
}
