package storage

import (
	"errors"
	"slices"
	"testing"
	"time"
)

var trailKey = AuditKey("the key of a test")

// writeTrail returns a trail of five lines.
func writeTrail(key AuditKey) []Event {
	var trail []Event
	var seq uint64
	var prev Hash
	for range 5 {
		e := Event{At: time.Unix(1_790_000_000, 0), Kind: "session.ended", By: "admin:ada"}
		e.Chain(seq, prev, key)
		seq, prev = e.Seq, e.Hash
		trail = append(trail, e)
	}
	return trail
}

// rechain makes a chain of changed lines that fits together, as someone can who has the store and not the key file.
func rechain(trail []Event) []Event {
	changed := slices.Clone(trail)
	var seq uint64
	var prev Hash
	for i := range changed {
		mac := changed[i].MAC
		changed[i].Chain(seq, prev, nil)
		changed[i].MAC = mac
		seq, prev = changed[i].Seq, changed[i].Hash
	}
	return changed
}

func verifyTrail(trail []Event, checkpoint *Checkpoint) error {
	v := TrailVerifier{Key: trailKey, Checkpoint: checkpoint}
	return addAll(&v, trail)
}

// TestTrailThatWasRewrittenWithoutTheKeyFileIsFound: anyone who has the store can compute hashes. The MACs need
// the key file.
func TestTrailThatWasRewrittenWithoutTheKeyFileIsFound(t *testing.T) {
	if err := verifyTrail(writeTrail(trailKey), nil); err != nil {
		t.Fatalf("got %v for the trail as it was written", err)
	}
	edited := writeTrail(trailKey)
	edited[2].By = "system"
	without := slices.Delete(writeTrail(trailKey), 2, 3)
	for name, trail := range map[string][]Event{
		"a line changed":                 edited,
		"a line changed, chained anew":   rechain(edited),
		"a line removed":                 without,
		"a line removed, chained anew":   rechain(without),
		"written anew without a key":     writeTrail(nil),
		"written anew with another key":  writeTrail(AuditKey("another")),
		"continued with the right key":   append(rechain(edited)[:4], writeTrail(trailKey)[4]),
		"the first line removed":         writeTrail(trailKey)[1:],
		"the first removed, chained new": rechain(writeTrail(trailKey)[1:]),
	} {
		var broken *TrailError
		if err := verifyTrail(trail, nil); !errors.As(err, &broken) {
			t.Errorf("%s: got %v, want a trail that breaks", name, err)
		}
	}
}

// TestCheckpointShowsThatTheEndWasCutOff: the lines themselves cannot show it.
func TestCheckpointShowsThatTheEndWasCutOff(t *testing.T) {
	trail := writeTrail(trailKey)
	checkpoint := Checkpoint{Seq: 4, Hash: trail[3].Hash, At: time.Unix(1_790_000_001, 0)}
	read, err := ParseCheckpoint(checkpoint.Sign(trailKey), trailKey)
	if err != nil || read.Seq != 4 || read.Hash != trail[3].Hash {
		t.Fatalf("got checkpoint %+v, %v", read, err)
	}
	if err := verifyTrail(trail, &read); err != nil {
		t.Errorf("got %v for the whole trail", err)
	}
	if err := verifyTrail(trail[:3], nil); err != nil {
		t.Errorf("got %v without a checkpoint; the lines cannot show what is missing", err)
	}
	if err := verifyTrail(trail[:3], &read); err == nil {
		t.Error("got no error for a trail that ends before its checkpoint")
	}
}

// TestCheckpointNeedsTheKeyFile: nobody can write a checkpoint that fits a trail which was cut off.
func TestCheckpointNeedsTheKeyFile(t *testing.T) {
	checkpoint := Checkpoint{Seq: 3, Hash: HashOf("x"), At: time.Unix(1_790_000_001, 0)}
	for name, text := range map[string]string{
		"another key": checkpoint.Sign(AuditKey("another")),
		"no key":      checkpoint.Sign(nil),
		"cut":         checkpoint.Sign(trailKey)[:20],
		"changed":     "2" + checkpoint.Sign(trailKey)[1:],
		"empty":       "",
	} {
		if _, err := ParseCheckpoint(text, trailKey); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: got %v, want ErrCheckpoint", name, err)
		}
	}
}

// TestTrailVerifiesFromASignedRemoval: retention removes lines from the beginning. Someone who has the store, and a
// checkpoint from the log, can remove more lines, but cannot sign a note about them.
func TestTrailVerifiesFromASignedRemoval(t *testing.T) {
	trail := writeTrail(trailKey)
	line := Checkpoint{Seq: 2, Hash: trail[1].Hash, At: time.Unix(1_790_000_100, 0).UTC()}
	if _, err := ParseRemoval(line.Sign(trailKey), trailKey); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("got %v for a checkpoint as removal, want ErrCheckpoint", err)
	}
	removal, err := ParseRemoval(line.SignRemoval(trailKey), trailKey)
	if err != nil || removal != line {
		t.Fatalf("got %+v, %v", removal, err)
	}
	early, late := Checkpoint{Seq: 1, Hash: trail[0].Hash}, Checkpoint{Seq: 9}
	for name, c := range map[string]struct {
		rest       []Event
		checkpoint *Checkpoint
		broken     bool
	}{
		"what retention left":                {rest: trail[2:]},
		"a checkpoint before the removal":    {rest: trail[2:], checkpoint: &early},
		"the removal as checkpoint":          {rest: trail[2:], checkpoint: &removal},
		"a checkpoint after the last line":   {rest: trail[2:], checkpoint: &late, broken: true},
		"more lines removed than it says":    {rest: trail[3:], broken: true},
		"the first line removed and changed": {rest: rechain(trail[2:]), broken: true},
	} {
		v := TrailVerifier{Key: trailKey, Removal: &removal, Checkpoint: c.checkpoint}
		err := addAll(&v, c.rest)
		if (err != nil) != c.broken {
			t.Errorf("%s: got %v, want broken: %v", name, err, c.broken)
		}
	}
	archive := TrailVerifier{Key: trailKey, AnyStart: true, Checkpoint: &removal}
	if err := addAll(&archive, trail[:2]); err != nil {
		t.Errorf("got %v for an export of what was removed", err)
	}
}

func addAll(v *TrailVerifier, trail []Event) error {
	for _, e := range trail {
		if err := v.Add(e); err != nil {
			return err
		}
	}
	return v.Finish()
}
