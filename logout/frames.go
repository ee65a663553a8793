package logout

import (
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// Frame is one iframe of a front-channel logout.
type Frame struct {
	Client string
	SID    string
	Name   string
	URI    string
	Origin string // scheme://host[:port], for frame-src
}

// Frames returns the frames of a front-channel logout for the terminations. Each URI contains iss and sid, even if the
// client did not register frontchannel_logout_session_required (Front-Channel Logout 1.0 §2: both or neither). Browsers
// may send no cookie in a frame: the relying party then needs iss and sid to find its session.
func Frames(issuer string, terminations []storage.Termination) []Frame {
	var frames []Frame
	for _, t := range terminations {
		for _, cs := range t.Session.ClientSessions {
			if frame, ok := NewFrame(issuer, t.Clients[cs.Client], cs.SID); ok {
				frames = append(frames, frame)
			}
		}
	}
	return frames
}

// NewFrame returns the frame that notifies a client of the end of the client session with that sid. ok is false if
// the client has no front channel.
func NewFrame(issuer string, c *storage.Client, sid string) (frame Frame, ok bool) {
	if c == nil || c.FrontchannelLogoutURI == "" {
		return Frame{}, false
	}
	u, err := url.Parse(c.FrontchannelLogoutURI)
	if err != nil || u.Host == "" {
		return Frame{}, false
	}
	return Frame{
		Client: c.ClientID,
		SID:    sid,
		Name:   clientName(c),
		URI:    frameURI(c.FrontchannelLogoutURI, issuer, sid),
		Origin: strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Host),
	}, true
}

// frameURI appends iss and sid to the registered URI, and changes no byte of it.
func frameURI(registered, issuer, sid string) string {
	separator := "?"
	switch {
	case strings.HasSuffix(registered, "?") || strings.HasSuffix(registered, "&"):
		separator = ""
	case strings.Contains(registered, "?"):
		separator = "&"
	}
	return registered + separator + "iss=" + url.QueryEscape(issuer) + "&sid=" + url.QueryEscape(sid)
}
