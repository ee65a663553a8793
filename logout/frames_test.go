package logout

import (
	"testing"

	"github.com/curfew-id/curfew/storage"
)

func TestFrameKeepsItsQueryAndAlwaysCarriesIssAndSid(t *testing.T) {
	const issuer = "https://op.example/a b"
	tests := []struct{ registered, want, origin string }{
		{
			"https://rp.example/fcl",
			"https://rp.example/fcl?iss=https%3A%2F%2Fop.example%2Fa+b&sid=S%261",
			"https://rp.example",
		},
		{
			"https://RP.example:8443/cb?logout=get",
			"https://RP.example:8443/cb?logout=get&iss=https%3A%2F%2Fop.example%2Fa+b&sid=S%261",
			"https://rp.example:8443",
		},
		{
			"https://rp.example/cb?",
			"https://rp.example/cb?iss=https%3A%2F%2Fop.example%2Fa+b&sid=S%261",
			"https://rp.example",
		},
	}
	for _, tt := range tests {
		c := &storage.Client{
			Metadata: storage.Metadata{ClientID: "rp", ClientName: "Atlas", FrontchannelLogoutURI: tt.registered},
		}
		termination := storage.Termination{
			Session: storage.Session{
				ID:             "s",
				ClientSessions: []storage.ClientSession{{Client: "rp", SID: "S&1"}, {Client: "gone", SID: "x"}},
			},
			Clients: map[string]*storage.Client{"rp": c},
		}
		got := Frames(issuer, []storage.Termination{termination})
		if want := (Frame{Client: "rp", SID: "S&1", Name: "Atlas", URI: tt.want, Origin: tt.origin}); len(got) != 1 ||
			got[0] != want {
			t.Errorf("frames of %s: got %+v, want %+v", tt.registered, got, want)
		}
	}
}
