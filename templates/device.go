package templates

import "strings"

// Device is a guess of the browser and the operating system that sent a User-Agent header. It helps users to recognise
// their own browsers.
type Device struct {
	Browser string // "Firefox"; empty: unknown
	System  string // "Linux"; empty: unknown
}

// ParseDevice guesses the device from a User-Agent header.
func ParseDevice(userAgent string) Device {
	var d Device
	for _, b := range browsers {
		if strings.Contains(userAgent, b.token) {
			d.Browser = b.name
			break
		}
	}
	for _, s := range systems {
		if strings.Contains(userAgent, s.token) {
			d.System = s.name
			break
		}
	}
	return d
}

// browsers lists the tokens that identify browsers. The first token that a header has decides: nearly all browsers also
// send the tokens of Chrome and Safari.
var browsers = []struct{ token, name string }{
	{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"},
	{"OPR/", "Opera"}, {"OPT/", "Opera"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Vivaldi/", "Vivaldi"},
	{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
	{"HeadlessChrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Chromium/", "Chromium"},
	{"Safari/", "Safari"},
	{"curl/", "curl"},
}

// systems lists the tokens that identify operating systems. The first token that a header has decides.
var systems = []struct{ token, name string }{
	{"iPhone", "iPhone"}, {"iPad", "iPad"},
	{"Android", "Android"},
	{"CrOS", "ChromeOS"},
	{"Windows", "Windows"},
	{"Macintosh", "macOS"}, {"Mac OS X", "macOS"},
	{"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"},
	{"Linux", "Linux"},
}

// IsUnknown reports whether neither browser nor system was recognised.
func (d Device) IsUnknown() bool { return d == Device{} }

// device returns the name of a device: "Firefox on Linux".
func (l *locale) device(d Device) Text {
	switch {
	case d.IsUnknown():
		return l.text("device.unknown")
	case d.Browser == "":
		return Text{{Words: d.System}}
	case d.System == "":
		return Text{{Words: d.Browser}}
	}
	return l.text("device.browser_on_system", "Browser", d.Browser, "System", d.System)
}

// devices returns a list of the names of devices.
func (l *locale) devices(devices []Device) Text {
	names := make([]string, 0, len(devices))
	for _, d := range devices {
		names = append(names, l.device(d).String())
	}
	return l.list(names)
}

// DeviceName returns the English name of the device of a User-Agent header, for the command line.
func DeviceName(userAgent string) string {
	return texts().locale(defaultLanguage).device(ParseDevice(userAgent)).String()
}
