package storage

import (
	"reflect"
	"testing"
	"time"
)

func TestTerminationWritesCutoffsForItsScopes(t *testing.T) {
	for name, c := range map[string]struct {
		sel  Selector
		want []CutoffScope
	}{
		"sessions": {
			sel: Selector{Sessions: []SessionID{"s"}},
		},
		"a client in sessions": {
			sel:  Selector{Sessions: []SessionID{"s", "r"}, Client: "app"},
			want: []CutoffScope{{Session: "s", Client: "app"}, {Session: "r", Client: "app"}},
		},
		"a user": {
			sel:  Selector{Subject: "ann"},
			want: []CutoffScope{{Subject: "ann"}},
		},
		"a client at a user": {
			sel:  Selector{Subject: "ann", Client: "app"},
			want: []CutoffScope{{Subject: "ann", Client: "app"}},
		},
		"a client": {
			sel:  Selector{Client: "app"},
			want: []CutoffScope{{Client: "app"}},
		},
		"a client, all users": {
			sel:  Selector{AllUsers: true, Client: "app"},
			want: []CutoffScope{{Client: "app"}},
		},
		"all users": {
			sel:  Selector{AllUsers: true},
			want: []CutoffScope{{}},
		},
		"expired sessions": {
			sel: Selector{Expired: true},
		},
		"a grant": {
			sel: Selector{Grant: "g"},
		},
		"offline access only": {
			sel: Selector{Client: "app", IncludeOffline: true, OfflineOnly: true},
		},
		"nothing but the change": {
			sel: Selector{},
		},
	} {
		if got := (Selection{Selector: c.sel}).CutoffScopes(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestCutoffInvalidatesOlderCodes(t *testing.T) {
	list := []Cutoff{{Sequence: 7}, {Sequence: 9, Except: "kept"}}
	for _, c := range []struct {
		session SessionID
		issued  Sequence
		want    bool
	}{
		{"s", 6, true},
		{"s", 8, true},
		{"s", 9, false},
		{"kept", 6, true},
		{"kept", 7, false},
		{"", 8, true},
		{"", 9, false},
	} {
		if got := IsCutOff(list, c.session, c.issued); got != c.want {
			t.Errorf("session %q, issued at %d: cut off %v, want %v", c.session, c.issued, got, c.want)
		}
	}
}

func TestCutoffReplacesOnlyCutoffsThatItCovers(t *testing.T) {
	hour := testTime.Add(time.Hour)
	for name, c := range map[string]struct {
		old, added Cutoff
		want       int
	}{
		"older": {
			old:   Cutoff{Sequence: 1, ExpiresAt: testTime},
			added: Cutoff{Sequence: 2, ExpiresAt: hour},
			want:  1,
		},
		"older, kept for longer": {
			old:   Cutoff{Sequence: 1, ExpiresAt: hour},
			added: Cutoff{Sequence: 2, ExpiresAt: testTime},
			want:  2,
		},
		"newer": {
			old:   Cutoff{Sequence: 3, ExpiresAt: testTime},
			added: Cutoff{Sequence: 2, ExpiresAt: hour},
			want:  2,
		},
		"the new one excepts": {
			old:   Cutoff{Sequence: 1, ExpiresAt: testTime},
			added: Cutoff{Sequence: 2, ExpiresAt: hour, Except: "s"},
			want:  2,
		},
		"both except the same": {
			old:   Cutoff{Sequence: 1, ExpiresAt: testTime, Except: "s"},
			added: Cutoff{Sequence: 2, ExpiresAt: hour, Except: "s"},
			want:  1,
		},
		"only the old one excepts": {
			old:   Cutoff{Sequence: 1, ExpiresAt: testTime, Except: "s"},
			added: Cutoff{Sequence: 2, ExpiresAt: hour},
			want:  1,
		},
		"they except different ones": {
			old:   Cutoff{Sequence: 1, ExpiresAt: testTime, Except: "r"},
			added: Cutoff{Sequence: 2, ExpiresAt: hour, Except: "s"},
			want:  2,
		},
	} {
		if got := AddCutoff([]Cutoff{c.old}, c.added); len(got) != c.want || got[len(got)-1] != c.added {
			t.Errorf("%s: got %+v, want %d", name, got, c.want)
		}
	}
}

func TestCutoffsExpireOneByOne(t *testing.T) {
	list := []Cutoff{{Sequence: 1, ExpiresAt: testTime}, {Sequence: 2, ExpiresAt: testTime.Add(1)}}
	kept, expired := ExpireCutoffs(list, testTime)
	if !reflect.DeepEqual(kept, list[1:]) || !reflect.DeepEqual(expired, list[:1]) {
		t.Errorf("got %+v kept and %+v expired", kept, expired)
	}
}
