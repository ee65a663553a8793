package suite

import "crypto/rand"

// User is the user who signs in during a run.
type User struct {
	Username string
	Password string
}

// NewUser returns a user with a random name and password.
func NewUser() User {
	return User{Username: "conformance-" + rand.Text()[:8], Password: rand.Text()}
}

// Claims returns all claims that the suite requests, and the password: the claims of the scopes profile, email, address
// and phone (OpenID Connect Core 1.0 §5.1, §5.4). Only the OP sets updated_at.
func (p User) Claims() map[string]any {
	return map[string]any{
		"password":              p.Password,
		"name":                  "Ada Conformance Byron",
		"given_name":            "Ada",
		"family_name":           "Byron",
		"middle_name":           "Conformance",
		"nickname":              "ada",
		"preferred_username":    p.Username,
		"profile":               "https://www.example.com/ada",
		"picture":               "https://www.example.com/ada.png",
		"website":               "https://www.example.com",
		"gender":                "female",
		"birthdate":             "1985-12-10",
		"zoneinfo":              "Europe/London",
		"locale":                "en-GB",
		"email":                 p.Username + "@example.com",
		"email_verified":        true,
		"phone_number":          "+44 20 7946 0000",
		"phone_number_verified": true,
		"address": map[string]string{
			"formatted":      "12 St James's Square\nLondon SW1Y 4JH\nUnited Kingdom",
			"street_address": "12 St James's Square",
			"locality":       "London",
			"region":         "Greater London",
			"postal_code":    "SW1Y 4JH",
			"country":        "United Kingdom",
		},
	}
}
