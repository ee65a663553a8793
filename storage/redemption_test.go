package storage

import (
	"testing"
	"time"
)

func TestCodeIsRefusedWithoutSessionUserOrClient(t *testing.T) {
	code := Code{Client: "app", Subject: "ann", Session: "s", Issued: testTime, Expires: testTime.Add(time.Minute)}
	session := &Session{ID: "s", Subject: "ann"}
	for name, c := range map[string]struct {
		change func(*RedemptionFacts)
		after  time.Duration
		want   bool
	}{
		"all is there": {
			change: func(*RedemptionFacts) {},
			after:  time.Second,
			want:   true,
		},
		"at the last moment": {
			change: func(*RedemptionFacts) {},
			after:  time.Minute - time.Millisecond,
			want:   true,
		},
		"expired": {
			change: func(*RedemptionFacts) {},
			after:  time.Minute,
		},
		"the clock went back": {
			change: func(*RedemptionFacts) {},
			after:  -time.Minute,
			want:   true,
		},
		"it went back too far": {
			change: func(*RedemptionFacts) {},
			after:  -time.Minute - time.Millisecond,
		},
		"no session": {
			change: func(f *RedemptionFacts) { f.Session = nil },
		},
		"another user's session": {
			change: func(f *RedemptionFacts) { f.Session = &Session{ID: "s", Subject: "bob"} },
		},
		"user disabled": {
			change: func(f *RedemptionFacts) { f.UserEnabled = false },
		},
		"client disabled": {
			change: func(f *RedemptionFacts) { f.ClientEnabled = false },
		},
		"user not admitted": {
			change: func(f *RedemptionFacts) { f.Admitted = false },
		},
		"cut off": {
			change: func(f *RedemptionFacts) { f.CutOff = true },
		},
		"forgotten": {
			change: func(f *RedemptionFacts) { f.Forgotten = true },
		},
	} {
		facts := RedemptionFacts{Session: session, UserEnabled: true, ClientEnabled: true, Admitted: true}
		c.change(&facts)
		if got := code.MayRedeem(facts, testTime.Add(c.after)); got != c.want {
			t.Errorf("%s: may redeem %v, want %v", name, got, c.want)
		}
	}
}

func TestSecondRedemptionKeepsTheClientSession(t *testing.T) {
	s := Session{ID: "s"}
	first, isNew := s.Join(Code{Client: "app", SID: "one"}, 3, testTime)
	if !isNew || first.SID != "one" || first.Sequence != 3 || !first.Joined.Equal(testTime) {
		t.Fatalf("got %+v, new %v", first, isNew)
	}
	second, isNew := s.Join(Code{Client: "app", SID: "two"}, 4, testTime.Add(time.Hour))
	if isNew || second.SID != "one" || second.Sequence != 3 || len(s.ClientSessions) != 1 {
		t.Errorf("got %+v, new %v", second, isNew)
	}
}

func TestRedemptionBindsTheGrantToTheCode(t *testing.T) {
	code := Code{Client: "app", Subject: "ann"}
	trust := TokenExpiry{JWT: testTime.Add(time.Hour)}
	for _, offline := range []bool{false, true} {
		cs := &ClientSession{SID: "sid"}
		issued := Issuance{Grant: Grant{ID: "g", Session: "wrong"}, Trust: trust}
		if offline {
			issued.Grant.Session = ""
		}
		g := code.Bind(issued, "s", cs, 9, testTime)
		want := Grant{ID: "g", Client: "app", Subject: "ann", SID: "sid", Session: "s", Sequence: 9}
		if offline {
			want.Session, want.Trust = "", trust
		}
		if g.Session != want.Session || g.Trust != want.Trust || g.SID != want.SID || g.Client != want.Client ||
			g.Subject != want.Subject ||
			g.Sequence != want.Sequence {
			t.Errorf("got %+v, want %+v", g, want)
		}
		if cs.TokenExpiry != trust || !cs.LastUsed.Equal(testTime) {
			t.Errorf("client session: got %+v", cs)
		}
	}
}
