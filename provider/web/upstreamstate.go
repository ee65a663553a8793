package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// A request with a long state or long claims gives a sealed interaction that other providers do not accept as their
// state parameter. UpstreamState keeps such an interaction in cookies of this browser, and the upstream gets its hash.

const (
	cookieUpstreamState = "curfew-upstream" // with a number: a part of the sealed request at an upstream

	maxUpstreamState = 4000 // longest state that is sent to an upstream, in characters
	maxCookieValue   = 3500 // in bytes; browsers keep cookies of 4096 bytes with name and attributes
	maxStateCookies  = (MaxInteractionSize + maxCookieValue - 1) / maxCookieValue

	keptStatePrefix = "kept." // a sealed interaction has no dot
)

// UpstreamState returns the state parameter for a request to an upstream. It stands for a sealed interaction, and is
// the interaction itself if that is short. A browser can have one long request at upstreams at a time; a second one
// replaces the first.
func (s *Site) UpstreamState(w http.ResponseWriter, interaction string, lifetime time.Duration) string {
	if len(interaction) <= maxUpstreamState {
		return interaction
	}
	rest := interaction
	for i := 0; rest != ""; i++ {
		part := rest[:min(len(rest), maxCookieValue)]
		rest = rest[len(part):]
		s.setCookie(w, upstreamStateCookie(i), part, lifetime)
	}
	return keptState(interaction)
}

// UpstreamInteraction returns the sealed interaction for which a state of UpstreamState stands, and deletes the cookies
// that kept it. If the cookies are missing or are those of another request, it returns "", which opens as no
// interaction.
func (s *Site) UpstreamInteraction(w http.ResponseWriter, r *http.Request, state string) string {
	if !strings.HasPrefix(state, keptStatePrefix) {
		return state
	}
	interaction := s.keptInteraction(r, state)
	if interaction == "" {
		return ""
	}
	for i := range maxStateCookies {
		if s.cookie(r, upstreamStateCookie(i)) != "" {
			s.setCookie(w, upstreamStateCookie(i), "", -1)
		}
	}
	return interaction
}

// keptInteraction puts the interaction for which state stands together from cookies. Cookies of a longer request before
// it may follow, so it compares after each part.
func (s *Site) keptInteraction(r *http.Request, state string) string {
	interaction := ""
	for i := range maxStateCookies {
		part := s.cookie(r, upstreamStateCookie(i))
		if part == "" {
			return ""
		}
		interaction += part
		if keptState(interaction) == state {
			return interaction
		}
	}
	return ""
}

func upstreamStateCookie(part int) string { return cookieUpstreamState + "-" + strconv.Itoa(part) }

// keptState returns the state that stands for an interaction in cookies.
func keptState(interaction string) string {
	return keptStatePrefix + storage.HashOf("upstream state "+interaction).String()
}
