package templates

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestStateOfAnEntryInWords(t *testing.T) {
	l := texts().locale(defaultLanguage)
	t0 := sampleNow // 10:02:14
	at := func(d time.Duration) time.Time { return t0.Add(d) }
	back, front, both := []string{ChannelBack}, []string{ChannelFront}, []string{ChannelBack, ChannelFront}
	until := at(15*time.Minute + 46*time.Second) // 10:18:00
	for _, tt := range []struct {
		name string
		h    Entry
		want string // icon: word. sentence [detail]
	}{
		{"confirmed at once", Entry{
			Channels:   back,
			Trust:      TrustConfirmed,
			Delivery:   DeliveryDone,
			Attempts:   1,
			NotifiedAt: at(130 * time.Millisecond),
			Status:     200,
		},
			"done: Signed out. You’re signed out there. [Confirmed 0.1 s after the sign-out.]"},
		{"confirmed on the second try", Entry{
			Channels:   back,
			Trust:      TrustConfirmed,
			Delivery:   DeliveryDone,
			Attempts:   2,
			NotifiedAt: at(1200 * time.Millisecond),
		},
			"done: Signed out. You’re signed out there. [Confirmed 1.2 s after the sign-out, at attempt 2.]"},
		{"confirmed, and asked once more", Entry{
			Channels:       back,
			Trust:          TrustConfirmed,
			Delivery:       DeliveryDone,
			Attempts:       1,
			NotifiedAt:     at(time.Second),
			Renotification: "pending",
		},
			"done: Signed out. You’re signed out there. [Confirmed 1 s after the sign-out. It had only just signed you in, so it is asked once more.]"},
		{"expiring, not asked yet", Entry{
			Channels:  back,
			Trust:     TrustExpiring,
			Delivery:  DeliveryPending,
			ExpiresAt: until,
		},
			"expiring: Ends by 10:18 UTC. It hasn’t confirmed. Your sign-in there ends by itself. [Being asked directly (back channel). Its session runs out by 10:18 UTC.]"},
		{"expiring, does not answer", Entry{
			Channels:    back,
			Trust:       TrustExpiring,
			Delivery:    DeliveryPending,
			ExpiresAt:   until,
			Attempts:    1,
			Class:       "timeout",
			NextAttempt: at(20 * time.Second),
		},
			"expiring: Ends by 10:18 UTC. It hasn’t confirmed. Your sign-in there ends by itself. [Asked directly (back channel): it didn’t answer. Trying again at 10:02 UTC. Its session runs out by 10:18 UTC.]"},
		{"expiring, refused", Entry{
			Channels:  back,
			Trust:     TrustExpiring,
			Delivery:  DeliveryFailed,
			ExpiresAt: until,
			Attempts:  3,
			Status:    501,
		},
			"expiring: Ends by 10:18 UTC. It hasn’t confirmed. Your sign-in there ends by itself. [Asked directly (back channel): it refused (status 501). Stopped after 3 attempts. Its session runs out by 10:18 UTC.]"},
		{"expiring, cannot be asked", Entry{Trust: TrustExpiring, Delivery: DeliveryNone, ExpiresAt: until},
			"expiring: Ends by 10:18 UTC. It hasn’t confirmed. Your sign-in there ends by itself. [It has registered no way to be asked. Its session runs out by 10:18 UTC.]"},
		{"expiring, until the next day", Entry{
			Trust:     TrustExpiring,
			Delivery:  DeliveryNone,
			ExpiresAt: at(20 * time.Hour),
		},
			"expiring: Ends by 22 Nov 2026, 06:03 UTC. It hasn’t confirmed. Your sign-in there ends by itself. [It has registered no way to be asked. Its session runs out by 22 Nov 2026, 06:03 UTC.]"},
		{"a bound is never shown earlier than it is", Entry{
			Trust:     TrustExpiring,
			Delivery:  DeliveryNone,
			ExpiresAt: until.Add(time.Millisecond),
		},
			"expiring: Ends by 10:19 UTC. It hasn’t confirmed. Your sign-in there ends by itself. [It has registered no way to be asked. Its session runs out by 10:19 UTC.]"},
		{"expiring, and that time has come", Entry{
			Trust:     TrustExpiring,
			Delivery:  DeliveryPending,
			ExpiresAt: at(30 * time.Second),
		},
			"done: Signed out. Your sign-in there has run out. [It didn’t confirm, but its session ran out by 10:03 UTC.]"},
		{"over by time", Entry{Trust: TrustRevoked, Delivery: DeliveryNone, ExpiresAt: at(30 * time.Second)},
			"done: Signed out. Your sign-in there has run out. [It didn’t confirm, but its session ran out by 10:03 UTC.]"},
		{"revoked by enforcement", Entry{Trust: TrustRevoked, Delivery: DeliveryNone},
			"done: Signed out. You’re signed out there. [It checks with us each time, and is refused from now on.]"},
		{"asked by a frame: never confirmed", Entry{
			Channels:   front,
			Trust:      TrustNotified,
			Delivery:   DeliveryNone,
			NotifiedAt: at(time.Second),
		},
			"notified: Can’t be verified. We asked it through your browser, but it can’t confirm. To be sure, open it and sign out. [Asked through your browser (front channel).]"},
		{"asked by a frame that loaded: never confirmed", Entry{
			Channels:   front,
			Trust:      TrustNotified,
			Delivery:   DeliveryDone,
			NotifiedAt: at(time.Second),
			Status:     200,
		},
			"notified: Can’t be verified. We asked it through your browser, but it can’t confirm. To be sure, open it and sign out. [Asked through your browser (front channel).]"},
		{"only a frame could ask it", Entry{Channels: front, Trust: TrustUnknown, Delivery: DeliveryNone},
			"unknown: Unknown. It can’t be signed out from here. You may still be signed in there: open it and sign out. [It can only be asked through your browser (front channel), and that hasn’t happened.]"},
		{"asked by a frame, and being asked directly", Entry{
			Channels:    both,
			Trust:       TrustNotified,
			Delivery:    DeliveryPending,
			Attempts:    2,
			Class:       "refused",
			NextAttempt: at(5 * time.Second),
		},
			"retrying: Still trying. We’re asking it to sign you out. [Asked through your browser (front channel). Asked directly (back channel): it takes no connections. Trying again at 10:02 UTC.]"},
		{"asked by a frame, refused directly", Entry{
			Channels: both,
			Trust:    TrustNotified,
			Delivery: DeliveryFailed,
			Attempts: 1,
			Status:   400,
		},
			"notified: Can’t be verified. We asked it through your browser, but it can’t confirm. To be sure, open it and sign out. [Asked through your browser (front channel). Asked directly (back channel): it refused (status 400). Stopped after 1 attempt.]"},
		{"took the request", Entry{
			Channels: back,
			Trust:    TrustNotified,
			Delivery: DeliveryDone,
			Attempts: 1,
			Status:   202,
		},
			"notified: Can’t be verified. We asked it, but it didn’t confirm. To be sure, open it and sign out. [It took the request, but didn’t say that you’re signed out.]"},
		{"answered while signing you in", Entry{
			Channels:       back,
			Trust:          TrustNotified,
			Delivery:       DeliveryDone,
			Attempts:       1,
			Status:         200,
			Renotification: "pending",
		},
			"retrying: Checking again. You had only just signed in there, so we ask it again. This takes about 30 seconds. [It answered, but may have been signing you in at that moment. It is asked once more.]"},
		{"answered while signing you in, then no more", Entry{
			Channels:       back,
			Trust:          TrustNotified,
			Delivery:       DeliveryDone,
			Attempts:       1,
			Status:         200,
			Renotification: "failed",
		},
			"notified: Can’t be verified. We asked it, but it didn’t confirm. To be sure, open it and sign out. [It answered, but may have been signing you in at that moment, and didn’t answer again.]"},
		{"not asked yet", Entry{Channels: back, Trust: TrustUnknown, Delivery: DeliveryPending},
			"retrying: Still trying. We’re asking it to sign you out. [Being asked directly (back channel).]"},
		{"unreachable by name", Entry{
			Channels:    back,
			Trust:       TrustUnknown,
			Delivery:    DeliveryPending,
			Attempts:    4,
			Class:       "dns",
			NextAttempt: at(30 * time.Hour),
		},
			"retrying: Still trying. We’re asking it to sign you out. [Asked directly (back channel): its name can’t be found. Trying again at 22 Nov 2026, 16:02 UTC.]"},
		{"refused once, tried again", Entry{
			Channels:    back,
			Trust:       TrustUnknown,
			Delivery:    DeliveryPending,
			Attempts:    1,
			Status:      503,
			NextAttempt: at(time.Second),
		},
			"retrying: Still trying. We’re asking it to sign you out. [Asked directly (back channel): it refused (status 503). Trying again at 10:02 UTC.]"},
		{"refused for good", Entry{
			Channels: back,
			Trust:    TrustUnknown,
			Delivery: DeliveryFailed,
			Attempts: 3,
			Status:   501,
		},
			"refused: Refused. It refused the sign-out. You may still be signed in there: open it and sign out. [Asked directly (back channel): it refused (status 501). Stopped after 3 attempts.]"},
		{"never answered", Entry{
			Channels: back,
			Trust:    TrustUnknown,
			Delivery: DeliveryFailed,
			Attempts: 52,
			Class:    "timeout",
		},
			"unknown: Unknown. It didn’t answer. You may still be signed in there: open it and sign out. [Asked directly (back channel): it didn’t answer. Stopped after 52 attempts.]"},
		{"not asked at an expiry, as configured", Entry{Channels: back, Trust: TrustUnknown, Delivery: DeliveryNone},
			"unknown: Unknown. It wasn’t asked, because your sign-in expired by itself. You may still be signed in there. [It wasn’t asked: expired sessions end without a notice here.]"},
		{"a fault of ours", Entry{
			Channels:    back,
			Trust:       TrustUnknown,
			Delivery:    DeliveryPending,
			Attempts:    1,
			Class:       "internal",
			NextAttempt: at(time.Second),
		},
			"retrying: Still trying. We’re asking it to sign you out. [Asked directly (back channel): a fault on our side. Trying again at 10:02 UTC.]"},
		{"only ever accepted", Entry{
			Channels: back,
			Trust:    TrustUnknown,
			Delivery: DeliveryFailed,
			Attempts: 52,
			Status:   202,
		},
			"unknown: Unknown. It didn’t answer. You may still be signed in there: open it and sign out. [Asked directly (back channel): it took the request, but didn’t say that you’re signed out (status 202). Stopped after 52 attempts.]"},
		{"cancelled by an administrator", Entry{
			Channels: back,
			Trust:    TrustUnknown,
			Delivery: DeliveryCancelled,
			Attempts: 2,
			Status:   500,
		},
			"unknown: Unknown. Your administrator stopped asking it. You may still be signed in there: open it and sign out. [It didn’t confirm, and an administrator stopped asking it.]"},
		{"cannot be asked", Entry{Trust: TrustUnknown, Delivery: DeliveryNone},
			"unknown: Unknown. It can’t be signed out from here. You may still be signed in there: open it and sign out. [It has registered no way to be asked.]"},
		{
			"nothing known at all",
			Entry{},
			"unknown: Unknown. It can’t be signed out from here. You may still be signed in there: open it and sign out. [It has registered no way to be asked.]",
		},
		{
			"a bound without its time is no bound",
			Entry{Trust: TrustExpiring, Delivery: DeliveryNone},
			"unknown: Unknown. It can’t be signed out from here. You may still be signed in there: open it and sign out. [It has registered no way to be asked.]",
		},
		{
			"a trust from the future",
			Entry{Trust: "certain", Delivery: "sung"},
			"unknown: Unknown. It can’t be signed out from here. You may still be signed in there: open it and sign out. [It has registered no way to be asked.]",
		},

		{
			"tokens that are checked here",
			Entry{Kind: KindAccessTokens, Trust: TrustRevoked},
			"done: Signed out. It is no longer accepted. []",
		},
		{"tokens with a bound", Entry{Kind: KindAccessTokens, Trust: TrustExpiring, ExpiresAt: until},
			"expiring: Ends by 10:18 UTC. Where it isn’t checked with us, it is accepted until 10:18 UTC at the latest. []"},
		{
			"tokens that have expired",
			Entry{Kind: KindAccessTokens, Trust: TrustRevoked, ExpiresAt: at(0)},
			"done: Signed out. It ran out by 10:03 UTC. []",
		},
		{
			"offline access",
			Entry{Kind: KindOfflineAccess, Trust: TrustUnknown},
			"unknown: Stays. It isn’t part of a sign-out. You can remove it under Apps. []",
		},
		{
			"offline access that ended too",
			Entry{Kind: KindOfflineAccess, Trust: TrustRevoked},
			"done: Signed out. It is no longer accepted. []",
		},
	} {
		now := at(time.Minute)
		if tt.name == "expiring, and that time has come" {
			now = tt.h.ExpiresAt
		}
		s := l.describe(tt.h, t0, now)
		if got := string(s.Icon) + ": " + s.Word.String() + ". " + s.Sentence.String() + " [" + s.Detail.String() + "]"; got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// Whatever else is known: only an app's own answer, enforcement or time makes it signed out.
func TestNothingIsCalledSignedOutThatIsNot(t *testing.T) {
	l := texts().locale(defaultLanguage)
	for _, kind := range []string{"", KindClientSession, KindAccessTokens, KindOfflineAccess} {
		for _, trust := range []Trust{"", TrustExpiring, TrustNotified, TrustUnknown} {
			for _, delivery := range []Delivery{
				"",
				DeliveryNone,
				DeliveryPending,
				DeliveryDone,
				DeliveryFailed,
				DeliveryCancelled,
			} {
				for _, channels := range [][]string{nil, {ChannelBack}, {ChannelFront}, {ChannelBack, ChannelFront}} {
					for _, renotification := range []string{"", "pending", "done", "failed"} {
						e := Entry{
							Kind:           kind,
							Application:    "Atlas",
							Trust:          trust,
							Delivery:       delivery,
							Channels:       channels,
							Renotification: renotification,
							Attempts:       1,
							Status:         200,
							NotifiedAt:     sampleNow,
							ExpiresAt:      sampleNow.Add(time.Hour),
						}
						s := l.describe(e, sampleNow, sampleNow.Add(time.Minute))
						if s.Icon == IconDone || s.Word.String() == l.text("state.done").String() {
							t.Errorf("%+v: got %s", e, s.Word)
						}
						page := SignedOutPage{
							Ended:       sampleNow,
							Scope:       ScopeClient,
							Application: &App{Name: "Atlas"},
							Entries:     []Entry{e},
						}
						page.Now = sampleNow
						status := page.Status()
						if len(status.In(GroupDone)) != 0 || strings.Contains(status.Summary.String(), "confirmed") {
							t.Errorf("%+v: got %s", e, status.Summary)
						}
						if isClientSession(e) &&
							status.Heading.String() == l.text("signedout.app", "App", "Atlas").String() {
							t.Errorf("%+v: got %s", e, status.Heading)
						}
					}
				}
			}
		}
	}
}

func TestOutcomeComesFirstAndNamesWhatNeedsAttention(t *testing.T) {
	all := sampleEntries()
	over := Entry{Application: "Atlas", Trust: TrustRevoked, ExpiresAt: sampleNow}
	notAsked := Entry{Application: "Wiki", Channels: []string{ChannelBack}, Trust: TrustUnknown, Delivery: DeliveryNone}
	for _, tt := range []struct {
		entries []Entry
		want    string
	}{
		{nil, "You’re signed out. No app was signed in with this sign-in."},
		{
			[]Entry{{Kind: KindAccessTokens, Trust: TrustRevoked}},
			"You’re signed out. No app was signed in with this sign-in.",
		},
		{all[:1], "You’re signed out. Atlas confirmed it."},
		{all[:2], "You’re signed out. Your 2 apps confirmed it."},
		{all[:4], "You’re signed out of 2 of 4 apps. 1 needs your attention: Old portal. Wiki ends by 10:18 UTC."},
		{all[2:3], "You’re signed out. Wiki ends by 10:18 UTC."},
		{all[5:6], "You’re signed out. Still waiting for Build server."},
		{[]Entry{notAsked}, "You’re signed out here. 1 needs your attention: Wiki."},
		{[]Entry{over, over}, "You’re signed out. Your 2 apps are signed out."},
		{[]Entry{over, all[0]}, "You’re signed out. Your 2 apps are signed out."},
		{
			all,
			"You’re signed out of 2 of 7 apps. 3 need your attention: Old portal, Photos and Tickets. Still waiting for Build server. Wiki ends by 10:18 UTC.",
		},
	} {
		page := SignedOutPage{Ended: sampleNow, Scope: ScopeSession, Entries: tt.entries}
		page.Now = sampleNow.Add(time.Second)
		if s := page.Status(); s.Heading.String()+". "+s.Summary.String() != tt.want {
			t.Errorf("got  %s. %s\nwant %s", s.Heading, s.Summary, tt.want)
		}
	}
}

func TestStatusAsTheScriptReadsIt(t *testing.T) {
	s := NewStatus("", sampleEntries()[1:3], sampleNow, sampleNow)
	got, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"summary":[{"text":"Wiki ends by "},{"time":"2026-11-21T10:18:00Z","show":"clock"},{"text":"."}],"entries":[` +
		`{"id":"3","application":"Wiki","group":"waiting","icon":"expiring","word":[{"text":"Ends by "},{"time":"2026-11-21T10:18:00Z","show":"clock"}],"sentence":[{"text":"It hasn’t confirmed. Your sign-in there ends by itself."}],` +
		`"detail":[{"text":"Asked directly (back channel): it didn’t answer. Trying again at "},{"time":"2026-11-21T10:02:44Z","show":"clock"},{"text":". Its session runs out by "},{"time":"2026-11-21T10:18:00Z","show":"clock"},{"text":"."}]},` +
		`{"id":"2","application":"Ledger","group":"done","icon":"done","word":[{"text":"Signed out"}],"sentence":[{"text":"You’re signed out there."}],` +
		`"detail":[{"text":"Confirmed 1.2 s after the sign-out, at attempt 2."}]}],` +
		`"done_title":[{"text":"1 app signed out"}],"done":false,"settled":false}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s := NewStatus("", nil, sampleNow, sampleNow); !s.Done || !s.Settled || s.Entries == nil {
		t.Errorf("no app: got %+v, want it done", s)
	}
}
