package policy

import "time"

// Audit holds the settings of the audit trail.
type Audit struct {
	// How often a signed checkpoint of the audit trail is written to the log, if the trail has grown. A checkpoint that
	// is kept elsewhere proves later that no line up to it was cut off: `curfew audit verify --since CHECKPOINT`. `0`:
	// never.
	CheckpointEvery time.Duration `yaml:"checkpoint_every" default:"1h" min:"0"`
	// A URL to which each checkpoint is also posted, as a form with `iss` and `checkpoint`. `egress.allow` counts.
	CheckpointURL string `yaml:"checkpoint_url"`
	// How long lines of the audit trail are kept. Older ones are removed from its beginning, within an hour. The store
	// then has a signed note up to which line, and `curfew audit verify` says so. `0`: for ever.
	Retention time.Duration `yaml:"retention" default:"0" min:"0"`
}
