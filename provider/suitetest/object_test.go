package suitetest

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/provider/providertest"
)

// requestObject returns the claims of the suite's request object: all parameters of the request.
func requestObject(q url.Values) map[string]any {
	claims := map[string]any{}
	for name := range q {
		claims[name] = q.Get(name)
	}
	return claims
}

// requestURL returns an authorization request with a request object. It repeats only the parameters that Core §6.1
// requires. name and value are the request or request_uri parameter.
func requestURL(q url.Values, name, value string) string {
	return "/authorize?" + url.Values{
		"client_id":     {q.Get("client_id")},
		"response_type": {q.Get("response_type")},
		"scope":         {q.Get("scope")},
		name:            {value},
	}.Encode()
}

// mustSupport checks that the OP advertises the parameter and the algorithm of request objects.
func (m *module) mustSupport(parameter, alg string) {
	m.Helper()
	if m.discovery()[parameter+"_parameter_supported"] != true ||
		!slices.Contains(m.supported("request_object_signing_alg_values_supported"), alg) {
		m.Errorf("got no %s with %s advertised", parameter, alg)
	}
}

func TestModuleUnsignedRequestObjectSupportedCorrectlyOrRejectedAsUnsupported(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustSupport("request", "none")
		m.mustRegister(nil)
		q := m.request()
		m.mustComplete(m.visit(requestURL(q, "request", m.unsigned(requestObject(q)))), q)
	})
}

func TestModuleEnsureRequestObjectWithRedirectUri(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		q := m.request()
		outer := maps.Clone(q)
		outer.Set("redirect_uri", q.Get("redirect_uri")+"_invalid")
		outer.Set("state", "other")
		outer.Set("request", m.unsigned(requestObject(q)))
		m.mustComplete(m.visit("/authorize?"+outer.Encode()), q) // the request object takes precedence (Core §6.1)

		// Without a valid redirect URI, the error cannot be sent to the client.
		inner := requestObject(q)
		inner["redirect_uri"] = q.Get("redirect_uri") + "_invalid"
		q.Set("request", m.unsigned(inner))
		m.mustShowError(m.visit("/authorize?"+q.Encode()), "redirect_uri", "_invalid")
	})
}

// byReference runs a module with a request object at a registered request_uri. Curfew fetches it for the authorization
// request, not at registration. The fragment of request_uri is not its hash.
func byReference(t *testing.T, alg string, more map[string]any, write func(*module, map[string]any) string) {
	t.Helper()
	runModule(t, allResponseTypes, func(m *module) {
		m.mustSupport("request_uri", alg)
		path := "/requesturi/" + randomText(64)
		uri := suiteBase + path + "#" + randomText(43)
		registered := map[string]any{"request_uris": []string{uri}}
		maps.Copy(registered, more)
		m.mustRegister(registered)
		q := m.request()
		m.publish(path, write(m, requestObject(q)))
		m.mustComplete(m.visit(requestURL(q, "request_uri", uri)), q)
		if !slices.Contains(m.web.fetched, suiteBase+path) {
			m.Errorf("got an answer without the request object")
		}
		// A request cannot make Curfew fetch a URI that is not registered.
		elsewhere := m.publish("/elsewhere", write(m, requestObject(q)))
		for _, other := range []string{elsewhere, suiteBase + path, uri + "x"} {
			q.Set("request_uri", other)
			m.mustFail(m.callback(m.visit("/authorize?"+q.Encode())), q.Get("state"), "invalid_request_uri")
		}
		if slices.Contains(m.web.fetched, elsewhere) {
			m.Errorf("got a request_uri fetched that is not registered")
		}
	})
}

func TestModuleRequestUriUnsigned(t *testing.T) {
	byReference(t, "none", nil, (*module).unsigned)
}

func TestModuleRequestUriUnsignedSupportedCorrectlyOrRejectedAsUnsupported(t *testing.T) {
	byReference(t, "none", nil, (*module).unsigned)
}

func TestModuleRequestUriSignedRs256(t *testing.T) {
	rs256 := map[string]any{"request_object_signing_alg": "RS256"}
	byReference(t, "RS256", rs256, func(m *module, claims map[string]any) string {
		claims["iss"] = m.client.ID
		claims["aud"] = providertest.Issuer
		return m.sign(jose.RS256, m.client.key, claims)
	})
	// If the client registered an algorithm, request objects must use it, and the client's keys and client_id.
	runModule(t, []string{"code"}, func(m *module) {
		m.mustRegister(rs256)
		good := func() map[string]any {
			return map[string]any{"iss": m.client.ID, "aud": providertest.Issuer, "prompt": "login"}
		}
		expired := good()
		expired["exp"] = time.Now().Add(-time.Hour).Unix()
		stranger := good()
		stranger["iss"] = "other"
		elsewhere := good()
		elsewhere["aud"] = "https://other.example"
		for name, text := range map[string]string{
			"unsigned":           m.unsigned(good()),
			"another's key":      m.sign(jose.RS256, clientKeys()[1], good()),
			"another's name":     m.sign(jose.RS256, m.client.key, stranger),
			"for another issuer": m.sign(jose.RS256, m.client.key, elsewhere),
			"expired":            m.sign(jose.RS256, m.client.key, expired),
			"changed":            strings.Replace(m.sign(jose.RS256, m.client.key, good()), ".", ".e", 1),
		} {
			q := m.request("request", text)
			params := m.callback(m.visit("/authorize?" + q.Encode()))
			if params.Get("error") != "invalid_request_object" {
				m.Errorf("%s: got %v, want invalid_request_object", name, params)
			}
			m.mustMatchRequest(params, q.Get("state"))
		}
	})
}

// TestEmptyMembersOfARequestObjectAreLeftOut (Core §13.3): a member that is null counts as absent.
func TestEmptyMembersOfARequestObjectAreLeftOut(t *testing.T) {
	runModule(t, []string{"code"}, func(m *module) {
		m.mustRegister(nil)
		q := m.request("nonce", "")
		claims := requestObject(q)
		for _, name := range []string{
			"nonce",
			"max_age",
			"claims",
			"id_token_hint",
			"prompt",
			"code_challenge",
			"registration",
		} {
			claims[name] = nil
		}
		m.mustComplete(m.visit(requestURL(q, "request", m.unsigned(claims))), q)
	})
}
