package logout

import (
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// hostSpeed says how quickly the last attempt at a host ended.
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

// hostClass decides which slots a host uses. Each class has its own slots, so that hosts of different classes never
// wait for each other.
type hostClass int

// The classes follow from the speed of the host and from who registered the client: the operator, or the client itself
// by dynamic registration.
const (
	operatorUnknown hostClass = iota
	operatorQuick
	operatorSlow
	selfRegisteredUnknown
	selfRegisteredQuick
	selfRegisteredSlow
	hostClassCount // the number of classes
)

var hostClassNames = [hostClassCount]string{
	operatorUnknown:       "unknown",
	operatorQuick:         "quick",
	operatorSlow:          "slow",
	selfRegisteredUnknown: "self_registered_unknown",
	selfRegisteredQuick:   "self_registered_quick",
	selfRegisteredSlow:    "self_registered_slow",
}

func (c hostClass) String() string { return hostClassNames[c] }

// classLimit limits how many slots a class has.
type classLimit struct {
	inFlight int // attempts at the same time
	claimed  int // claimed deliveries, including those in flight
}

var classLimits = [hostClassCount]classLimit{
	operatorUnknown:       {inFlight: 32, claimed: 128},
	operatorQuick:         {inFlight: 64, claimed: 512},
	operatorSlow:          {inFlight: 32, claimed: 32},
	selfRegisteredUnknown: {inFlight: 16, claimed: 32},
	selfRegisteredQuick:   {inFlight: 16, claimed: 64},
	selfRegisteredSlow:    {inFlight: 16, claimed: 16},
}

// maxClaimed is the largest number of claimed deliveries of all classes together.
var maxClaimed = func() (n int) {
	for _, limits := range classLimits {
		n += limits.claimed
	}
	return n
}()

// selfRegisteredPrefix begins Delivery.Host for clients that registered themselves ("self-registered host:port"). Their
// deliveries have other slots than those of an operator's client, even if both have the same host.
const selfRegisteredPrefix = "self-registered "

// queueHost returns the Delivery.Host of a client's deliveries.
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

// classOf returns the class of a Delivery.Host.
func classOf(host string, speed hostSpeed) hostClass {
	if strings.HasPrefix(host, selfRegisteredPrefix) {
		return selfRegisteredClasses[speed]
	}
	return operatorClasses[speed]
}

var operatorClasses = [...]hostClass{
	speedUnknown: operatorUnknown,
	speedQuick:   operatorQuick,
	speedSlow:    operatorSlow,
}

var selfRegisteredClasses = [...]hostClass{
	speedUnknown: selfRegisteredUnknown,
	speedQuick:   selfRegisteredQuick,
	speedSlow:    selfRegisteredSlow,
}
