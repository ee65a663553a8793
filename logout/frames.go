package logout

import (
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// Frame is one iframe of a front-channel logout.
type Frame struct {
	ReportID string // of what ended
	Client   string
	Name     string
	URI      string
	Origin   string // scheme://host[:port], for frame-src
}

// Frames are the frames that tell the clients of what ended through the browser. Both iss and sid always go along, whatever the
// client asked for (Front-Channel Logout 1.0 §2: both or neither): without its cookie a relying party has nothing else.
func Frames(issuer string, terminations []storage.Termination) []Frame {
	var frames []Frame
	for _, t := range terminations {
		for _, cs := range t.Session.ClientSessions {
			c := t.Clients[cs.Client]
			if c == nil || c.FrontchannelLogoutURI == "" {
				continue
			}
			u, err := url.Parse(c.FrontchannelLogoutURI)
			if err != nil || u.Host == "" {
				continue
			}
			frames = append(frames, Frame{
				ReportID: reportID(t),
				Client:   cs.Client,
				Name:     displayName(cs.Client, c),
				URI:      frameURI(c.FrontchannelLogoutURI, issuer, cs.SID),
				Origin:   strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Host),
			})
		}
	}
	return frames
}

// frameURI keeps the registered text as it is, byte for byte, its own query included.
func frameURI(registered, issuer, sid string) string {
	sep := "?"
	switch {
	case strings.HasSuffix(registered, "?") || strings.HasSuffix(registered, "&"):
		sep = ""
	case strings.Contains(registered, "?"):
		sep = "&"
	}
	return registered + sep + "iss=" + url.QueryEscape(issuer) + "&sid=" + url.QueryEscape(sid)
}
