package provider_test

import (
	"strings"
	"testing"
	"testing/synctest"
)

func TestActivityNamesTheBrowserOfEachSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStart(t, nil)
		o.mustAddClient("atlas", nil)
		phone, laptop := o.browser(), o.browser()
		phone.agent, laptop.agent = "Mozilla/5.0 (iPhone) FxiOS/150.0", "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"
		phone.mustJoin("alice", "atlas")
		laptop.mustJoin("alice", "atlas")
		phone.submit(phone.get("/end_session"), "extent", "browser")
		body := laptop.get("/account/activity").Body
		// The phone's sign-in and its end, and the laptop's sign-in.
		if phones, laptops := strings.Count(body, "· Firefox on iPhone ·"), strings.Count(body, "· Firefox on Linux ·"); phones != 2 || laptops != 1 {
			t.Errorf("got %d lines of the phone and %d of the laptop, want 2 and 1:\n%s", phones, laptops, body)
		}
	})
}
