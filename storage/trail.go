package storage

import "fmt"

// TrailVerifier verifies the audit trail, line by line. The zero value verifies a trail from its first line, without a
// key.
type TrailVerifier struct {
	Key        AuditKey    // verifies the MAC of every line; empty: no MAC is verified
	Checkpoint *Checkpoint // the trail must contain this line; nil: any trail passes
	Removal    *Checkpoint // the trail begins after this line, because retention removed the lines up to it; nil: none
	AnyStart   bool        // the trail may begin with any line, as an export does

	Lines    int    // verified lines
	FirstSeq uint64 // of the first verified line
	LastSeq  uint64 // of the last verified line
	Head     Hash   // of the last verified line

	foundCheckpoint bool
}

// TrailError is the first fault of a trail.
type TrailError struct {
	Line    uint64
	Problem string
}

func (e *TrailError) Error() string {
	return fmt.Sprintf("the trail breaks at line %d: %s", e.Line, e.Problem)
}

// Add verifies the next line. Its error is a *TrailError.
func (v *TrailVerifier) Add(e Event) error {
	if v.Lines == 0 {
		v.begin(e)
	}
	atCheckpoint := v.Checkpoint != nil && v.Checkpoint.Seq == e.Seq
	switch {
	case !e.Follows(v.LastSeq, v.Head):
		return &TrailError{v.LastSeq + 1, "it was changed, or lines were removed"}
	case len(v.Key) > 0 && !e.Authentic(v.Key):
		return &TrailError{e.Seq, "it was not written with this key file"}
	case atCheckpoint && v.Checkpoint.Hash != e.Hash:
		return &TrailError{e.Seq, "the checkpoint names another line"}
	}
	if atCheckpoint {
		v.foundCheckpoint = true
	}
	v.Lines++
	v.LastSeq = e.Seq
	v.Head = e.Hash
	return nil
}

// begin sets the line after which the trail begins with e.
func (v *TrailVerifier) begin(e Event) {
	switch {
	case v.AnyStart:
		v.LastSeq, v.Head = e.Seq-1, e.Prev
	case v.Removal != nil:
		v.LastSeq, v.Head = v.Removal.Seq, v.Removal.Hash
	}
	v.FirstSeq = e.Seq
}

// Finish checks that the trail contained the line of the checkpoint. Its error is a *TrailError.
func (v *TrailVerifier) Finish() error {
	if v.Checkpoint == nil || v.Checkpoint.Seq == 0 {
		return nil
	}
	if v.Removal != nil && v.Checkpoint.Seq <= v.Removal.Seq {
		return nil // the signed removal shows that the trail had these lines
	}
	if !v.foundCheckpoint {
		return &TrailError{v.LastSeq + 1, fmt.Sprintf(
			"line %d of the checkpoint is missing: the end of the trail was cut off", v.Checkpoint.Seq)}
	}
	return nil
}
