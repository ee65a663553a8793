package logout

import (
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// hostSpeed is what the last attempt at a host has shown.
type hostSpeed int

const (
	speedUnknown hostSpeed = iota // no attempt has ended yet
	speedQuick
	speedSlow // the host took longer than slowThreshold, or did not answer
)

func speedOf(slow bool) hostSpeed {
	if slow {
		return speedSlow
	}
	return speedQuick
}

// hostClass decides which slots a host uses. Hosts of different classes never wait for each other.
type hostClass int

// The classes: by who registered the client, and by speed.
const (
	operatorUnknown hostClass = iota
	operatorQuick
	operatorSlow
	selfRegisteredUnknown
	selfRegisteredQuick
	selfRegisteredSlow
	hostClasses // their number
)

var hostClassNames = [hostClasses]string{
	operatorUnknown:       "unknown",
	operatorQuick:         "quick",
	operatorSlow:          "slow",
	selfRegisteredUnknown: "self_registered_unknown",
	selfRegisteredQuick:   "self_registered_quick",
	selfRegisteredSlow:    "self_registered_slow",
}

func (c hostClass) String() string { return hostClassNames[c] }

// classLimits bound what each class uses: attempts at the same time, and deliveries that are claimed, which includes
// these.
var classLimits = [hostClasses]struct{ inFlight, claimed int }{
	operatorUnknown:       {32, 128},
	operatorQuick:         {64, 512},
	operatorSlow:          {32, 32},
	selfRegisteredUnknown: {16, 32},
	selfRegisteredQuick:   {16, 64},
	selfRegisteredSlow:    {16, 16},
}

// maxClaimed is how many deliveries are claimed in all.
var maxClaimed = func() (n int) {
	for _, limits := range classLimits {
		n += limits.claimed
	}
	return n
}()

// selfRegisteredPrefix begins Delivery.Host for clients that registered themselves. Their deliveries get slots of
// their own, even where their URI names the host of an operator's client.
const selfRegisteredPrefix = "self-registered "

// queueHost returns Delivery.Host of a client.
func queueHost(c *storage.Client) string {
	host := hostOf(c.BackchannelLogoutURI)
	if c.Dynamic {
		return selfRegisteredPrefix + host
	}
	return host
}

// IsSelfRegistered reports whether the delivery goes to a client that registered itself.
func IsSelfRegistered(d storage.Delivery) bool {
	return strings.HasPrefix(d.Host, selfRegisteredPrefix)
}

func classOf(host string, speed hostSpeed) hostClass {
	class := operatorUnknown + hostClass(speed)
	if strings.HasPrefix(host, selfRegisteredPrefix) {
		class += selfRegisteredUnknown - operatorUnknown
	}
	return class
}
