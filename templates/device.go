package templates

import "strings"

// Device names the browser and the system of a User-Agent header, as users know them. It is a guess, so that users
// recognise their own browsers.
type Device struct {
	Browser string // "Firefox"; empty: unknown
	System  string // "Linux"; empty: unknown
}

// ParseDevice reads a User-Agent header.
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

// browsers in the order in which their tokens decide: nearly all of them also claim to be Chrome or Safari.
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

// systems in the order in which their tokens decide.
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

// device puts a device in words: "Firefox on Linux".
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

// devices lists devices in words.
func (l *locale) devices(devices []Device) Text {
	names := make([]string, 0, len(devices))
	for _, d := range devices {
		names = append(names, l.device(d).String())
	}
	return l.list(names)
}

// DeviceName is a User-Agent header's device in English, for the command line.
func DeviceName(userAgent string) string {
	return texts().locale(defaultLanguage).device(ParseDevice(userAgent)).String()
}
