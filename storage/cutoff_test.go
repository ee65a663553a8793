package storage

import (
	"reflect"
	"testing"
	"time"
)

func TestTerminationLeavesCutoffsWhereCodesCouldEscape(t *testing.T) {
	for name, c := range map[string]struct {
		sel  Selector
		want []CutoffScope
	}{
		"sessions":               {Selector{Sessions: []SessionID{"s"}}, nil},
		"a client in sessions":   {Selector{Sessions: []SessionID{"s", "r"}, Client: "app"}, []CutoffScope{{Session: "s", Client: "app"}, {Session: "r", Client: "app"}}},
		"a user":                 {Selector{Subject: "ann"}, []CutoffScope{{Subject: "ann"}}},
		"a client at a user":     {Selector{Subject: "ann", Client: "app"}, []CutoffScope{{Subject: "ann", Client: "app"}}},
		"a client":               {Selector{Client: "app"}, []CutoffScope{{Client: "app"}}},
		"a client, all users":    {Selector{AllUsers: true, Client: "app"}, []CutoffScope{{Client: "app"}}},
		"all users":              {Selector{AllUsers: true}, []CutoffScope{{}}},
		"expired sessions":       {Selector{Expired: true}, nil},
		"a grant":                {Selector{Grant: "g"}, nil},
		"offline access only":    {Selector{Client: "app", IncludeOffline: true, OfflineOnly: true}, nil},
		"nothing but the change": {Selector{}, nil},
	} {
		if got := (Selection{Selector: c.sel}).CutoffScopes(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestCutoffKeepsOutWhatIsOlder(t *testing.T) {
	list := []Cutoff{{Sequence: 7}, {Sequence: 9, Except: "kept"}}
	for _, c := range []struct {
		session SessionID
		issued  Sequence
		want    bool
	}{{"s", 6, true}, {"s", 8, true}, {"s", 9, false}, {"kept", 6, true}, {"kept", 7, false}, {"", 8, true}, {"", 9, false}} {
		if got := IsCutOff(list, c.session, c.issued); got != c.want {
			t.Errorf("session %q, issued at %d: cut off %v, want %v", c.session, c.issued, got, c.want)
		}
	}
}

func TestCutoffReplacesOnlyWhatItIncludes(t *testing.T) {
	hour := testTime.Add(time.Hour)
	for name, c := range map[string]struct {
		old, added Cutoff
		want       int
	}{
		"older":                      {Cutoff{Sequence: 1, ExpiresAt: testTime}, Cutoff{Sequence: 2, ExpiresAt: hour}, 1},
		"older, kept for longer":     {Cutoff{Sequence: 1, ExpiresAt: hour}, Cutoff{Sequence: 2, ExpiresAt: testTime}, 2},
		"newer":                      {Cutoff{Sequence: 3, ExpiresAt: testTime}, Cutoff{Sequence: 2, ExpiresAt: hour}, 2},
		"the new one excepts":        {Cutoff{Sequence: 1, ExpiresAt: testTime}, Cutoff{Sequence: 2, ExpiresAt: hour, Except: "s"}, 2},
		"both except the same":       {Cutoff{Sequence: 1, ExpiresAt: testTime, Except: "s"}, Cutoff{Sequence: 2, ExpiresAt: hour, Except: "s"}, 1},
		"only the old one excepts":   {Cutoff{Sequence: 1, ExpiresAt: testTime, Except: "s"}, Cutoff{Sequence: 2, ExpiresAt: hour}, 1},
		"they except different ones": {Cutoff{Sequence: 1, ExpiresAt: testTime, Except: "r"}, Cutoff{Sequence: 2, ExpiresAt: hour, Except: "s"}, 2},
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
