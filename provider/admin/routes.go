package admin

import "net/http"

type handler func(http.ResponseWriter, *http.Request) error

type route struct {
	method, path string
	handle       handler
}

// routes is the whole API.
func (a *api) routes() []route {
	return []route{
		{"GET", "/openapi.json", a.showDocument},
		{"GET", "/status", a.showStatus},
		{"GET", "/doctor", a.examine},

		{"POST", "/users", a.addUser},
		{"GET", "/users", a.listUsers},
		{"GET", "/users/{user}", a.showUser},
		{"PATCH", "/users/{user}", a.changeUser},
		{"DELETE", "/users/{user}", wordless(a.removeUser)},
		{"POST", "/users/{user}/password", a.setPassword},
		{"POST", "/users/{user}/disable", wordless(a.disableUser)},
		{"POST", "/users/{user}/enable", wordless(a.enableUser)},
		{"POST", "/users/{user}/reset-link", a.makeResetLink},

		{"POST", "/clients", a.addClient},
		{"GET", "/clients", a.listClients},
		{"GET", "/clients/{client}", a.showClient},
		{"PATCH", "/clients/{client}", a.changeClient},
		{"DELETE", "/clients/{client}", wordless(a.removeClient)},
		{"POST", "/clients/{client}/secret", wordless(a.renewSecret)},
		{"POST", "/clients/{client}/disable", wordless(a.disableClient)},
		{"POST", "/clients/{client}/enable", wordless(a.enableClient)},
		{"POST", "/clients/{client}/test-logout", wordless(a.testLogout)},

		{"GET", "/initial-tokens", a.listInitialTokens},
		{"POST", "/initial-tokens", a.addInitialToken},
		{"DELETE", "/initial-tokens/{name}", wordless(a.removeInitialToken)},

		{"GET", "/sessions", a.listSessions},
		{"GET", "/sessions/{session}", a.showSession},
		{"POST", "/endings", a.end},
		{"GET", "/endings", a.listEndings},

		{"GET", "/reports", a.listReports},
		{"GET", "/reports/{report}", a.showReport},
		{"GET", "/reports/{report}/signed", a.signReport},

		{"GET", "/deliveries", a.listDeliveries},
		{"GET", "/deliveries/{delivery}", a.showDelivery},
		{"POST", "/deliveries/{delivery}/retry", wordless(a.retryDelivery)},
		{"POST", "/deliveries/{delivery}/cancel", wordless(a.cancelDelivery)},

		{"GET", "/keys", a.listKeys},
		{"POST", "/keys/rotate", a.rotateKeys},
		{"DELETE", "/keys/{key}", wordless(a.revokeKey)},

		{"GET", "/events", a.listEvents},
		{"GET", "/events/export", a.exportEvents},
		{"GET", "/events/verify", a.verifyEvents},
	}
}
