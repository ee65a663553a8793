package admin

import "net/http"

type handler func(http.ResponseWriter, *http.Request) error

type route struct {
	method string
	path   string
	handle handler
}

// routes lists all routes of the API.
func (a *api) routes() []route {
	return []route{
		{"GET", "/openapi.json", a.showOpenAPI},
		{"GET", "/status", a.showStatus},
		{"GET", "/doctor", a.diagnose},
		{"GET", "/backup", a.writeBackup},

		{"POST", "/users", a.addUser},
		{"GET", "/users", a.listUsers},
		{"GET", "/users/{user}", a.showUser},
		{"PATCH", "/users/{user}", a.changeUser},
		{"DELETE", "/users/{user}", withoutBody(a.removeUser)},
		{"POST", "/users/{user}/password", a.setPassword},
		{"POST", "/users/{user}/disable", withoutBody(a.disableUser)},
		{"POST", "/users/{user}/enable", withoutBody(a.enableUser)},
		{"POST", "/users/{user}/reset-link", a.makeResetLink},
		{"POST", "/users/{user}/enrol-link", a.makeEnrolLink},
		{"GET", "/users/{user}/factors", a.listFactors},
		{"DELETE", "/users/{user}/factors/{factor}", withoutBody(a.removeFactor)},
		{"POST", "/invitations", a.invite},

		{"GET", "/groups", a.listGroups},
		{"PUT", "/groups/{group}/members/{user}", withoutBody(a.joinGroup)},
		{"DELETE", "/groups/{group}/members/{user}", withoutBody(a.leaveGroup)},

		{"GET", "/scopes", a.listScopes},

		{"POST", "/clients", a.addClient},
		{"GET", "/clients", a.listClients},
		{"GET", "/clients/{client}", a.showClient},
		{"PATCH", "/clients/{client}", a.changeClient},
		{"DELETE", "/clients/{client}", withoutBody(a.removeClient)},
		{"POST", "/clients/{client}/secret", withoutBody(a.rotateSecret)},
		{"POST", "/clients/{client}/disable", withoutBody(a.disableClient)},
		{"POST", "/clients/{client}/enable", withoutBody(a.enableClient)},
		{"POST", "/clients/{client}/test-logout", withoutBody(a.testLogout)},
		{"GET", "/clients/{client}/refusals", a.listRefusals},

		{"GET", "/initial-access-tokens", a.listInitialAccessTokens},
		{"POST", "/initial-access-tokens", a.addInitialAccessToken},
		{"DELETE", "/initial-access-tokens/{name}", withoutBody(a.removeInitialAccessToken)},

		{"GET", "/sessions", a.listSessions},
		{"GET", "/sessions/{session}", a.showSession},
		{"POST", "/logouts", a.endSessions},
		{"GET", "/logouts", a.listBulkLogouts},

		{"GET", "/reports", a.listReports},
		{"GET", "/reports/{report}", a.showReport},
		{"GET", "/reports/{report}/signed", a.signReport},

		{"GET", "/deliveries", a.listDeliveries},
		{"GET", "/deliveries/{delivery}", a.showDelivery},
		{"POST", "/deliveries/{delivery}/retry", withoutBody(a.retryDelivery)},
		{"POST", "/deliveries/{delivery}/cancel", withoutBody(a.cancelDelivery)},

		{"GET", "/keys", a.listKeys},
		{"POST", "/keys/rotate", a.rotateKeys},
		{"DELETE", "/keys/{key}", withoutBody(a.revokeKey)},

		{"GET", "/events", a.listEvents},
		{"GET", "/events/export", a.exportEvents},
		{"GET", "/events/verify", a.verifyEvents},
	}
}
