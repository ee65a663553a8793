package storage

import "testing"

// TestOnlyThePortOfANativeLoopbackAddressIsFree: RFC 8252 §7.3, and nothing else of a redirect URI.
func TestOnlyThePortOfANativeLoopbackAddressIsFree(t *testing.T) {
	registered := []string{
		"http://127.0.0.1/cb?a=b",
		"http://localhost:1/out",
		"http://[::1]?x",
		"https://app.example/cb",
	}
	for uri, want := range map[string][2]bool{ // of a native client, of a web client
		"http://127.0.0.1/cb?a=b":       {true, true},
		"http://127.0.0.1:5000/cb?a=b":  {true, false},
		"http://127.0.0.1:5000/cb?a=c":  {false, false},
		"http://127.0.0.1:5000/cb":      {false, false},
		"http://localhost:65535/out":    {true, false},
		"http://localhost/out":          {true, false},
		"http://localhost:0/out":        {false, false},
		"http://localhost.evil/out":     {false, false},
		"http://localhost:1@evil/out":   {false, false},
		"http://LOCALHOST:1/out":        {false, false},
		"http://[::1]:80?x":             {true, false},
		"https://localhost:1/out":       {false, false},
		"https://app.example:8443/cb":   {false, false},
		"http://127.0.0.1:5000/../cb":   {false, false},
		"http://127.0.0.1:5000\\cb?a=b": {false, false},
	} {
		for i, applicationType := range []string{"native", "web"} {
			c := client(Metadata{
				ApplicationType:        applicationType,
				RedirectURIs:           registered,
				PostLogoutRedirectURIs: registered,
			})
			if got := c.AllowsRedirectURI(uri); got != want[i] {
				t.Errorf("%s, %q: got %v, want %v", applicationType, uri, got, want[i])
			}
			if got := c.AllowsPostLogoutRedirectURI(uri); got != want[i] {
				t.Errorf("%s, %q after a logout: got %v, want %v", applicationType, uri, got, want[i])
			}
		}
	}
}
