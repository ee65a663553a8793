package admin

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
)

type operation struct {
	OperationID string         `json:"operationId"`
	Summary     string         `json:"summary"`
	Tags        []string       `json:"tags"`
	Parameters  []parameter    `json:"parameters"`
	Responses   map[string]any `json:"responses"`
}

type parameter struct {
	Ref  string `json:"$ref"`
	Name string `json:"name"`
	In   string `json:"in"`
}

type specification struct {
	OpenAPI    string                                `json:"openapi"`
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Parameters map[string]parameter `json:"parameters"`
		Schemas    map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"schemas"`
	} `json:"components"`
}

func mustReadOpenAPI(t *testing.T) (specification, any) {
	t.Helper()
	raw, err := openAPIJSON()
	if err != nil {
		t.Fatal(err)
	}
	var spec specification
	var tree any
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	return spec, tree
}

func TestEveryRouteIsDocumentedAndNothingElseIs(t *testing.T) {
	spec, _ := mustReadOpenAPI(t)
	if spec.OpenAPI != "3.1.0" {
		t.Errorf("got openapi %q, want 3.1.0", spec.OpenAPI)
	}
	documented := map[string]bool{}
	ids := map[string]bool{}
	for path, item := range spec.Paths {
		var shared []parameter
		if raw, ok := item["parameters"]; ok {
			if err := json.Unmarshal(raw, &shared); err != nil {
				t.Fatal(err)
			}
			delete(item, "parameters")
		}
		for method, raw := range item {
			name := strings.ToUpper(method) + " " + path
			documented[name] = true
			var op operation
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatal(err)
			}
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf(
					"%s: got operationId %q, summary %q, tags %v, want each once",
					name,
					op.OperationID,
					op.Summary,
					op.Tags,
				)
			}
			ids[op.OperationID] = true
			if _, ok := op.Responses["default"]; !ok && path != "/openapi.json" {
				t.Errorf("%s: the answer of errors is not documented", name)
			}
			var inPath []string
			for _, p := range append(shared, op.Parameters...) {
				if p.Ref != "" {
					p = spec.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]
				}
				if p.In == "path" {
					inPath = append(inPath, "{"+p.Name+"}")
				}
			}
			for segment := range strings.SplitSeq(path, "/") {
				if strings.HasPrefix(segment, "{") && !slices.Contains(inPath, segment) {
					t.Errorf("%s: %s is not documented", name, segment)
				}
			}
		}
	}
	for _, r := range new(api).routes() {
		name := r.method + " " + r.path
		if !documented[name] {
			t.Errorf("%s is not documented", name)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("%s is documented, but there is no such route", name)
	}
}

func TestDocumentedParametersAreThoseThatAreRead(t *testing.T) {
	spec, _ := mustReadOpenAPI(t)
	for _, r := range new(api).routes() {
		if r.method != http.MethodGet || r.path == "/openapi.json" {
			continue
		}
		var op operation
		if err := json.Unmarshal(spec.Paths[r.path]["get"], &op); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range op.Parameters {
			if p.Ref != "" {
				p = spec.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]
			}
			names = append(names, p.Name)
		}
		read := parametersOf(t, r)
		slices.Sort(names)
		if !slices.Equal(names, read) {
			t.Errorf("GET %s: documented are %v, read are %v", r.path, names, read)
		}
	}
}

// parametersOf asks a handler for an unknown parameter and reads from its error what it knows: each name is the
// nearest to itself with one letter more.
func parametersOf(t *testing.T, r route) []string {
	t.Helper()
	var known []string
	for _, name := range []string{
		"after",
		"cause",
		"client",
		"group",
		"kind",
		"limit",
		"newest",
		"include_offline",
		"probe",
		"reason",
		"report",
		"session",
		"since",
		"state",
		"until",
		"user",
	} {
		err := func() (err error) {
			defer func() { recover() }() // past the query there is no store here
			return r.handle(
				httptest.NewRecorder(),
				httptest.NewRequest(http.MethodGet, "http://curfew/?"+name+"x=1", nil),
			)
		}()
		if err != nil && strings.Contains(err.Error(), "did you mean "+name+"?") {
			known = append(known, name)
		}
	}
	return known
}

func TestReferencesInTheDocumentLeadSomewhere(t *testing.T) {
	_, tree := mustReadOpenAPI(t)
	used := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(tree)
	components := tree.(map[string]any)["components"].(map[string]any)
	for ref := range used {
		parts := strings.Split(strings.TrimPrefix(ref, "#/components/"), "/")
		kind, _ := components[parts[0]].(map[string]any)
		if len(parts) != 2 || kind[parts[1]] == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	}
	for _, kind := range []string{"schemas", "parameters", "responses"} {
		for name := range components[kind].(map[string]any) {
			if !used["#/components/"+kind+"/"+name] {
				t.Errorf("%s %s is not used", kind, name)
			}
		}
	}
}

func TestSchemasHaveTheMembersOfTheTypes(t *testing.T) {
	spec, _ := mustReadOpenAPI(t)
	claims := slices.Concat(
		slices.Sorted(maps.Keys(claimCheckers())),
		[]string{"preferred_username", "email", "email_verified"},
	)
	for name, c := range map[string]struct {
		value any
		more  []string
	}{
		"Failure":                   {value: errorResponse{}},
		"Error":                     {value: Error{}},
		"Problem":                   {value: register.Problem{}},
		"Status":                    {value: Status{}},
		"Diagnosis":                 {value: Diagnosis{}},
		"ClientDiagnosis":           {value: ClientDiagnosis{}},
		"UpstreamDiagnosis":         {value: UpstreamDiagnosis{}},
		"TrustLimit":                {value: TrustLimit{}},
		"Endpoint":                  {value: Endpoint{}},
		"UserInput":                 {value: struct{}{}, more: append(claims, "groups", "sub", "password", "keep_offline")},
		"User":                      {value: User{}, more: append(claims, "password", "keep_offline")}, // as never there
		"UserList":                  {value: UserList{}},
		"PasswordChange":            {value: PasswordChange{}},
		"ResetLinkRequest":          {value: ResetLinkRequest{}},
		"InvitationRequest":         {value: InvitationRequest{}},
		"Invitation":                {value: Invitation{}},
		"Factor":                    {value: Factor{}},
		"FactorList":                {value: FactorList{}},
		"ClaimRule":                 {value: storage.ClaimRule{}},
		"Group":                     {value: Group{}},
		"GroupList":                 {value: GroupList{}},
		"ScopeList":                 {value: ScopeList{}},
		"APIScope":                  {value: storage.APIScope{}},
		"ResetLink":                 {value: ResetLink{}},
		"ClientInput":               {value: storage.Metadata{}, more: []string{"client_secret"}},
		"ClientRecord":              {value: ClientRecord{}},
		"ClientList":                {value: ClientList{}},
		"TestLogoutResult":          {value: LogoutTestResult{}},
		"InitialAccessToken":        {value: InitialAccessToken{}},
		"InitialAccessTokenRequest": {value: InitialAccessTokenRequest{}},
		"InitialAccessTokenList":    {value: InitialAccessTokenList{}},
		"Session":                   {value: Session{}},
		"ClientSession":             {value: ClientSession{}},
		"SessionList":               {value: SessionList{}},
		"TerminationRequest":        {value: TerminationRequest{}},
		"TerminationResult":         {value: TerminationResult{}},
		"TerminationCount":          {value: storage.TerminationCount{}},
		"BulkLogout":                {value: BulkLogout{}},
		"BulkLogoutList":            {value: BulkLogoutList{}},
		"Cause":                     {value: storage.Cause{}},
		"Selector":                  {value: storage.Selector{}},
		"UnknownHosts":              {value: UnknownHosts{}},
		"Estimate":                  {value: logout.Estimate{}},
		"HorizonPart":               {value: logout.HorizonPart{}},
		"ChainHorizon":              {value: logout.ChainHorizon{}},
		"ReportEntry":               {value: storage.ReportEntry{}},
		"Answer":                    {value: storage.Answer{}},
		"Report":                    {value: Report{}},
		"ReportList":                {value: ReportList{}},
		"Delivery":                  {value: Delivery{}},
		"DeliveryList":              {value: DeliveryList{}},
		"Key":                       {value: keys.Info{}},
		"KeyList":                   {value: KeyList{}},
		"RotateRequest":             {value: RotateRequest{}},
		"Event":                     {value: storage.Event{}},
		"EventList":                 {value: EventList{}},
		"Verification":              {value: Verification{}},
		"RefusalList":               {value: RefusalList{}},
		"ClientRefusal":             {value: storage.ClientRefusal{}},
	} {
		want := membersOf(reflect.TypeOf(c.value))
		for _, m := range c.more {
			want[m] = true
		}
		// Never shown: the sid, and the wrapped part of a key.
		switch name {
		case "Delivery":
			delete(want, "sid")
		case "Key":
			delete(want, "wrapped")
		}
		got := spec.Components.Schemas[name].Properties
		for m := range want {
			if _, ok := got[m]; !ok {
				t.Errorf("schema %s lacks %s", name, m)
			}
		}
		for m := range got {
			if !want[m] {
				t.Errorf("schema %s has %s, which the type has not", name, m)
			}
		}
		delete(spec.Components.Schemas, name)
	}
	for name := range spec.Components.Schemas {
		if name != "DeliveryState" && name != "ClaimRules" {
			t.Errorf("schema %s is compared with no type", name)
		}
	}
}

func membersOf(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			maps.Copy(names, membersOf(f.Type))
		case name != "-" && name != "":
			names[name] = true
		}
	}
	return names
}

func TestDocumentIsServedAsJSON(t *testing.T) {
	h, err := New(Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || !json.Valid(w.Body.Bytes()) {
		t.Errorf("got %d %s, want 200 and JSON", w.Code, w.Header().Get("Content-Type"))
	}
}
