package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/storage"
)

// auditFilter selects lines of the audit trail.
type auditFilter struct {
	kind    string
	user    string
	client  string
	session string
	reason  string
	since   string
	until   string
	newest  bool // newest lines first
}

func (p *program) auditCommand() *cobra.Command {
	var f auditFilter
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show the audit trail; -o json prints JSON lines",
		Long: "Show the audit trail: who did what to which session, why and from where. " +
			"-o json prints JSON lines.\n\n" +
			"Each line has the hash of the line before and a MAC by the key file, " +
			"so that a changed or missing line shows:\n" +
			"`curfew audit verify`.",
		Example: "  curfew audit --user ann --since 7d\n  curfew audit --kind session. -o json > trail.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.showAudit(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(
		&f.kind,
		"kind",
		"",
		"lines of this `KIND`, or of all kinds that begin with it if it ends in a dot, as session.",
	)
	flags.StringVar(&f.user, "user", "", "about the user with this `NAME` or subject")
	flags.StringVar(&f.client, "client", "", "about the client with this `ID`")
	flags.StringVar(
		&f.session,
		"session",
		"",
		"about the session with this `HASH`, its name in the audit trail and the log",
	)
	flags.StringVar(&f.reason, "reason", "", "for this `REASON`, as rp_initiated")
	flags.StringVar(
		&f.since,
		"since",
		"",
		"since this `TIME`: 2026-11-21, 2026-11-21T10:00:00Z, or 7d for seven days ago",
	)
	flags.StringVar(&f.until, "until", "", "before this `TIME`")
	flags.BoolVar(&f.newest, "newest", false, "newest first")
	cmd.AddCommand(p.auditVerify())
	return cmd
}

func (p *program) showAudit(ctx context.Context, f auditFilter) error {
	since, err := parseTimeFlag("since", f.since, time.Now())
	if err != nil {
		return err
	}
	until, err := parseTimeFlag("until", f.until, time.Now())
	if err != nil {
		return err
	}
	query := queryOf(
		"kind", f.kind,
		"user", f.user,
		"client", f.client,
		"session", f.session,
		"reason", f.reason,
		"since", since,
		"until", until,
	)
	if f.newest {
		query.Set("newest", "true")
	}
	c, err := p.adminClient()
	if err != nil {
		return err
	}
	if p.format == "json" {
		lines, err := c.ExportEvents(ctx, query)
		if err != nil {
			return withExitCode(err)
		}
		defer lines.Close()
		_, err = io.Copy(p.stdout, lines)
		if err != nil {
			return fmt.Errorf("copy the audit lines; the last ones are missing: %w", err)
		}
		return nil
	}
	return printList(
		p,
		c.Events(ctx, query),
		[]string{"line", "at", "kind", "reason", "by", "sub", "session", "client", "address", "detail"},
		func(e storage.Event) []string {
			return []string{
				strconv.FormatUint(e.Seq, 10),
				formatTime(e.At),
				e.Kind,
				string(e.Reason),
				e.By,
				e.Subject,
				e.Session,
				e.Client,
				e.Address,
				detailJSON(e.Detail),
			}
		},
	)
}

func detailJSON(detail map[string]string) string {
	if len(detail) == 0 {
		return ""
	}
	text, err := json.Marshal(detail)
	if err != nil {
		return "" // a map of strings always encodes
	}
	return string(text)
}

// parseTimeFlag parses the value of a flag: a date, a time, or an age such as 7d. It returns the time in RFC 3339,
// which the API requires. For an empty value it returns "".
func parseTimeFlag(flag, text string, now time.Time) (string, error) {
	if text == "" {
		return "", nil
	}
	if age, err := config.ParseDuration(text); err == nil {
		return now.Add(-age).Format(time.RFC3339), nil
	}
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t.Format(time.RFC3339), nil
		}
	}
	return "", usageErrorf("--%s: %q is not a time such as 2026-11-21, 2026-11-21T10:00:00Z or 7d", flag, text)
}
