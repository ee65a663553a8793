package tokens

// Authentication context classes (Core §2, acr), weakest first. The values of ISO/IEC 29115 levels are names, not numbers to trust blindly:
// "1" is a password.
const ACRPassword = "1"

// ACRValues are the classes that can be asked for.
func ACRValues() []string { return []string{ACRPassword} }
