package templates

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestStateOfAHolderInWords(t *testing.T) {
	t0 := sampleNow // 10:02:14
	at := func(d time.Duration) time.Time { return t0.Add(d) }
	back, front, both := []string{ChannelBack}, []string{ChannelFront}, []string{ChannelBack, ChannelFront}
	until := at(15*time.Minute + 46*time.Second) // 10:18:00
	const yourself = " Sign out there yourself, or close it."
	for _, tt := range []struct {
		name string
		h    Entry
		want string // icon: word. sentence
	}{
		{"confirmed at once", Entry{Channels: back, Trust: TrustConfirmed, Delivery: DeliveryDone, Attempts: 1, NotifiedAt: at(130 * time.Millisecond), Status: 200},
			"done: Confirmed. Told directly, and it confirmed after 0.1 s."},
		{"confirmed on the second try", Entry{Channels: back, Trust: TrustConfirmed, Delivery: DeliveryDone, Attempts: 2, NotifiedAt: at(1200 * time.Millisecond)},
			"done: Confirmed. Told directly, and it confirmed on the second try, after 1.2 s."},
		{"confirmed, and told once more", Entry{Channels: back, Trust: TrustConfirmed, Delivery: DeliveryDone, Attempts: 1, NotifiedAt: at(time.Second), Renotification: "pending"},
			"done: Confirmed. Told directly, and it confirmed after 1.0 s. It had only just let you in, so it is told once more."},
		{"bounded, not told yet", Entry{Channels: back, Trust: TrustExpiring, Delivery: DeliveryPending, ExpiresAt: until},
			"bounded: Ends by 10:18 UTC. It is being told now. Its own session runs out by 10:18 UTC."},
		{"bounded, does not answer", Entry{Channels: back, Trust: TrustExpiring, Delivery: DeliveryPending, ExpiresAt: until, Attempts: 1, Class: "timeout", NextAttempt: at(20 * time.Second)},
			"bounded: Ends by 10:18 UTC. It does not answer; trying again at 10:02:34 UTC. Its own session runs out by 10:18 UTC."},
		{"bounded, refused", Entry{Channels: back, Trust: TrustExpiring, Delivery: DeliveryFailed, ExpiresAt: until, Attempts: 3, Status: 501},
			"bounded: Ends by 10:18 UTC. It refused (answer 501); given up after three tries. Its own session runs out by 10:18 UTC."},
		{"bounded, cannot be told", Entry{Trust: TrustExpiring, Delivery: DeliveryNone, ExpiresAt: until},
			"bounded: Ends by 10:18 UTC. It has no way to be told. Its own session runs out by 10:18 UTC."},
		{"bounded, until the next day", Entry{Trust: TrustExpiring, Delivery: DeliveryNone, ExpiresAt: at(20 * time.Hour)},
			"bounded: Ends by 22 Nov 2026, 06:03 UTC. It has no way to be told. Its own session runs out by 22 Nov 2026, 06:03 UTC."},
		{"a bound is never shown earlier than it is", Entry{Trust: TrustExpiring, Delivery: DeliveryNone, ExpiresAt: until.Add(time.Millisecond)},
			"bounded: Ends by 10:19 UTC. It has no way to be told. Its own session runs out by 10:19 UTC."},
		{"bounded, and that time has come", Entry{Trust: TrustExpiring, Delivery: DeliveryPending, ExpiresAt: at(30 * time.Second)},
			"done: Ended. It did not confirm, but its own session ran out by 10:03 UTC."},
		{"closed by time", Entry{Trust: TrustRevoked, Delivery: DeliveryNone, ExpiresAt: at(30 * time.Second)},
			"done: Ended. It did not confirm, but its own session ran out by 10:03 UTC."},
		{"closed by enforcement", Entry{Trust: TrustRevoked, Delivery: DeliveryNone},
			"done: Ended. It is refused here from now on."},
		{"asked by a frame: never confirmed", Entry{Channels: front, Trust: TrustNotified, Delivery: DeliveryNone, NotifiedAt: at(time.Second)},
			"told: Told, no answer to be had. Your browser asked it. Whether it signed you out, nobody can tell."},
		{"asked by a frame that loaded: never confirmed", Entry{Channels: front, Trust: TrustNotified, Delivery: DeliveryDone, NotifiedAt: at(time.Second), Status: 200},
			"told: Told, no answer to be had. Your browser asked it. Whether it signed you out, nobody can tell."},
		{"only a frame could ask it", Entry{Channels: front, Trust: TrustUnknown, Delivery: DeliveryNone},
			"unknown: Unknown. Only your browser could ask it, and that has not happened." + yourself},
		{"asked by a frame, and being told", Entry{Channels: both, Trust: TrustNotified, Delivery: DeliveryPending, Attempts: 2, Class: "refused", NextAttempt: at(5 * time.Second)},
			"trying: Still trying. Your browser asked it, which proves nothing. It does not take connections; trying again at 10:02:19 UTC."},
		{"asked by a frame, refused directly", Entry{Channels: both, Trust: TrustNotified, Delivery: DeliveryFailed, Attempts: 1, Status: 400},
			"told: Told, no answer to be had. Your browser asked it, which proves nothing. It refused (answer 400)."},
		{"took the message", Entry{Channels: back, Trust: TrustNotified, Delivery: DeliveryDone, Attempts: 1, Status: 202},
			"told: Told, no answer to be had. It took the message, but did not say that it is done."},
		{"answered while letting you in", Entry{Channels: back, Trust: TrustNotified, Delivery: DeliveryDone, Attempts: 1, Status: 200, Renotification: "pending"},
			"trying: Answered, told again. It answered, but may have been letting you in at that moment; it is told once more."},
		{"answered while letting you in, then no more", Entry{Channels: back, Trust: TrustNotified, Delivery: DeliveryDone, Attempts: 1, Status: 200, Renotification: "failed"},
			"told: Told, no answer to be had. It answered, but may have been letting you in at that moment, and did not answer again."},
		{"not told yet", Entry{Channels: back, Trust: TrustUnknown, Delivery: DeliveryPending},
			"trying: Still trying. It is being told now."},
		{"unreachable by name", Entry{Channels: back, Trust: TrustUnknown, Delivery: DeliveryPending, Attempts: 4, Class: "dns", NextAttempt: at(30 * time.Hour)},
			"trying: Still trying. It cannot be found by its name; trying again at 22 Nov 2026, 16:02 UTC."},
		{"refused once, tried again", Entry{Channels: back, Trust: TrustUnknown, Delivery: DeliveryPending, Attempts: 1, Status: 503, NextAttempt: at(time.Second)},
			"trying: Still trying. It refused (answer 503); trying again at 10:02:15 UTC."},
		{"refused for good", Entry{Channels: back, Trust: TrustUnknown, Delivery: DeliveryFailed, Attempts: 3, Status: 501},
			"refused: Refused. It refused (answer 501); given up after three tries." + yourself},
		{"never answered", Entry{Channels: back, Trust: TrustUnknown, Delivery: DeliveryFailed, Attempts: 52, Class: "timeout"},
			"unknown: Unknown. It does not answer; given up after 52 tries." + yourself},
		{"not told of an expiry, as configured", Entry{Channels: back, Trust: TrustUnknown, Delivery: DeliveryNone},
			"unknown: Unknown. It was not told: sessions that run out end quietly here." + yourself},
		{"a fault of ours", Entry{Channels: back, Trust: TrustUnknown, Delivery: DeliveryPending, Attempts: 1, Class: "internal", NextAttempt: at(time.Second)},
			"trying: Still trying. It could not be told because of a fault here; trying again at 10:02:15 UTC."},
		{"only ever accepted", Entry{Channels: back, Trust: TrustUnknown, Delivery: DeliveryFailed, Attempts: 52, Status: 202},
			"unknown: Unknown. It took the message, but did not say that it is done (answer 202); given up after 52 tries." + yourself},
		{"given up by hand", Entry{Channels: back, Trust: TrustUnknown, Delivery: DeliveryCancelled, Attempts: 2, Status: 500},
			"unknown: Unknown. It did not confirm, and an administrator gave up telling it." + yourself},
		{"cannot be told", Entry{Trust: TrustUnknown, Delivery: DeliveryNone},
			"unknown: Unknown. It has no way to be told." + yourself},
		{"nothing known at all", Entry{}, "unknown: Unknown. It has no way to be told." + yourself},
		{"a bound without its time is no bound", Entry{Trust: TrustExpiring, Delivery: DeliveryNone}, "unknown: Unknown. It has no way to be told." + yourself},
		{"a trust from the future", Entry{Trust: "certain", Delivery: "sung"}, "unknown: Unknown. It has no way to be told." + yourself},

		{"tokens that ask here", Entry{Kind: KindAccessTokens, Trust: TrustRevoked}, "done: Ended. They are refused here from now on."},
		{"tokens with a bound", Entry{Kind: KindAccessTokens, Trust: TrustExpiring, ExpiresAt: until},
			"bounded: Ends by 10:18 UTC. Where they are checked without asking here, the last of them expires by 10:18 UTC."},
		{"tokens that have expired", Entry{Kind: KindAccessTokens, Trust: TrustRevoked, ExpiresAt: at(0)}, "done: Ended. The last of them expired by 10:03 UTC."},
		{"offline access", Entry{Kind: KindOfflineAccess, Trust: TrustUnknown}, "unknown: Stays. Access while you are away is no part of a session. It is ended under Applications."},
		{"offline access that ended too", Entry{Kind: KindOfflineAccess, Trust: TrustRevoked}, "done: Ended. It is refused here from now on."},
	} {
		s := Describe(tt.h, t0, at(time.Minute))
		if tt.name == "bounded, and that time has come" {
			s = Describe(tt.h, t0, tt.h.ExpiresAt)
		}
		if got := string(s.Icon) + ": " + s.Word.String() + ". " + s.Sentence.String(); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// Whatever else is known: only a holder's own answer makes it confirmed, and only enforcement or time makes it ended.
func TestNothingIsCalledOverThatIsNot(t *testing.T) {
	for _, kind := range []string{"", KindClientSession, KindAccessTokens, KindOfflineAccess} {
		for _, trust := range []Trust{"", TrustExpiring, TrustNotified, TrustUnknown} {
			for _, delivery := range []Delivery{"", DeliveryNone, DeliveryPending, DeliveryDone, DeliveryFailed, DeliveryCancelled} {
				for _, channels := range [][]string{nil, {ChannelBack}, {ChannelFront}, {ChannelBack, ChannelFront}} {
					for _, late := range []string{"", "pending", "done", "failed"} {
						h := Entry{Kind: kind, Trust: trust, Delivery: delivery, Channels: channels, Renotification: late, Attempts: 1, Status: 200, NotifiedAt: sampleNow, ExpiresAt: sampleNow.Add(time.Hour)}
						s := Describe(h, sampleNow, sampleNow.Add(time.Minute))
						if w := s.Word.String(); s.Icon == IconDone || w == "Confirmed" || w == "Ended" {
							t.Errorf("%+v: got %s", h, w)
						}
						if st := NewStatus([]Entry{h}, sampleNow, sampleNow); st.Confirmed || strings.Contains(st.Summary.String(), "has confirmed.") && !strings.Contains(st.Summary.String(), "None") {
							t.Errorf("%+v: got summary %s", h, st.Summary)
						}
					}
				}
			}
		}
	}
}

func TestSummaryNamesTheBadWithTheGood(t *testing.T) {
	all := sampleEntries()
	over := Entry{Application: "Atlas", Trust: TrustRevoked, ExpiresAt: sampleNow}
	for _, tt := range []struct {
		holders []Entry
		want    string
	}{
		{nil, "No application was signed in with it."},
		{[]Entry{{Kind: KindAccessTokens, Trust: TrustRevoked}}, "No application was signed in with it."},
		{all[:1], "Atlas has confirmed."},
		{all[:2], "Both applications have confirmed."},
		{append(all[:2:2], all[0]), "All three applications have confirmed."},
		{all[:4], "Two of four applications have confirmed. One ends by itself by 10:18 UTC. One cannot be told."},
		{all[2:3], "Wiki ends by itself by 10:18 UTC."},
		{all[5:6], "Build server is still being told."},
		{[]Entry{all[5], all[5]}, "None of two applications has confirmed yet. Two are still being told."},
		{[]Entry{{Application: "Wiki", Channels: []string{ChannelBack}, Trust: TrustUnknown, Delivery: DeliveryNone}}, "Wiki was not told."},
		{[]Entry{over, over}, "None of two applications has confirmed. Two have ended without confirming."},
		{[]Entry{all[2], all[4], all[6]}, "None of three applications has confirmed. One ends by itself by 10:18 UTC. One was told, but gave no answer that proves anything. One refused."},
		{[]Entry{all[0], {Trust: TrustUnknown, Delivery: DeliveryFailed, Class: "timeout"}}, "One of two applications has confirmed. One did not answer."},
	} {
		if got := Summarize(tt.holders, sampleNow, sampleNow.Add(time.Second)).String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestStatusAsTheScriptReadsIt(t *testing.T) {
	s := NewStatus(sampleEntries()[1:3], sampleNow, sampleNow)
	got, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"summary":[{"text":"One of two applications has confirmed. One ends by itself by "},{"time":"2026-11-21T10:18:00Z","show":"clock"},{"text":"."}],` +
		`"holders":[{"id":"2","application":"Ledger","icon":"done","word":[{"text":"Confirmed"}],"sentence":[{"text":"Told directly, and it confirmed on the second try, after 1.2 s."}]},` +
		`{"id":"3","application":"Wiki","icon":"bounded","word":[{"text":"Ends by "},{"time":"2026-11-21T10:18:00Z","show":"clock"}],"sentence":[{"text":"It does not answer; trying again at "},{"time":"2026-11-21T10:02:44Z","show":"seconds"},{"text":". Its own session runs out by "},{"time":"2026-11-21T10:18:00Z","show":"clock"},{"text":"."}]}],` +
		`"done":false,"confirmed":false}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s := NewStatus(nil, sampleNow, sampleNow); !s.Done || !s.Confirmed || s.Entries == nil {
		t.Errorf("nobody to tell: got %+v, want it done", s)
	}
}
