package suite

import "crypto/rand"

// User is who signs in during a run.
type User struct {
	Username string
	Password string
}

// NewUser makes a user with a random name, which no other user has.
func NewUser() User {
	return User{Username: "conformance-" + rand.Text()[:8], Password: rand.Text()}
}

// Claims are all that the suite asks for: the fourteen of scope profile and those of email, address and phone (OpenID
// Connect Core
// 1.0 §5.1, §5.4). updated_at is for the OP to set.
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
