package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/provider/admin"
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
		Long: "Show the audit trail: who did what to which session, why and from where. -o json prints JSON lines.\n\n" +
			"Each line carries the hash of the one before, so that a changed or missing line shows: " +
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
		if _, err = io.Copy(p.stdout, lines); err != nil {
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

// parseTimeFlag parses the value of a flag: a date, a time, or an age such as 7d. It returns the time in RFC 3339, as
// the API takes it, and "" for an empty value.
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

func (p *program) auditVerify() *cobra.Command {
	var head string
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Check that no line was changed or left out, at the server or in an export",
		Long: "Check that no line of the audit trail was changed or left out: at the server, or in an export " +
			"(`curfew audit -o json`)\n" +
			"without it; FILE is - for stdin. What was cut off at the end cannot show in the lines themselves: " +
			"write the head down\n" +
			"elsewhere, and ask with --head whether it still stands there.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.verifyAudit(cmd.Context(), args, head)
		},
	}
	cmd.Flags().StringVar(&head, "head", "", "the `HASH` of a line that was written down before has to be in the trail")
	return cmd
}

// verifyAudit verifies the trail and prints the result. head, if it is not empty, must be the hash of one of its lines.
func (p *program) verifyAudit(ctx context.Context, args []string, head string) error {
	v, headFound, err := p.verifyTrail(ctx, args, head)
	if err != nil {
		return err
	}
	if p.format == "json" {
		if err := p.printJSON(v); err != nil {
			return err
		}
	} else if v.Intact {
		fmt.Fprintf(p.stdout, "intact: %s, the last is %d\n", pluralize(v.Events, "line"), v.LastSeq)
		fmt.Fprintf(p.stdout, "head: %s\n", v.HeadHash)
	}
	switch {
	case !v.Intact:
		return &exitError{
			code: exitFailed,
			err:  fmt.Errorf("the trail breaks at line %d: it was changed, or lines before it are missing", v.BrokenAt),
		}
	case !headFound:
		return &exitError{
			code: exitFailed,
			err:  fmt.Errorf("no line has the hash %s: the end of the trail was cut off, or it is another trail", head),
		}
	}
	return nil
}

// verifyTrail has the server verify its own trail. It reads the lines itself if they stand in a file or if a head has
// to be found among them.
func (p *program) verifyTrail(
	ctx context.Context,
	args []string,
	head string,
) (v admin.Verification, headFound bool, err error) {
	if len(args) == 0 && head == "" {
		c, err := p.adminClient()
		if err != nil {
			return v, false, err
		}
		v, err = c.VerifyEvents(ctx)
		return v, true, withExitCode(err)
	}
	lines, err := p.auditLines(ctx, args)
	if err != nil {
		return v, false, err
	}
	defer lines.Close()
	v, hashes, err := verifyChain(lines)
	return v, head == "" || slices.Contains(hashes, head), err
}

// auditLines opens the JSON lines of the trail: from the server, from stdin for "-", or from a file.
func (p *program) auditLines(ctx context.Context, args []string) (io.ReadCloser, error) {
	switch {
	case len(args) == 0:
		c, err := p.adminClient()
		if err != nil {
			return nil, err
		}
		lines, err := c.ExportEvents(ctx, nil)
		return lines, withExitCode(err)
	case args[0] == "-":
		return io.NopCloser(p.stdin), nil
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	return f, nil
}

// verifyChain checks that each line carries the hash of the line before it, and returns the hashes of all lines. An
// export may begin at any line, so the first line is not checked.
func verifyChain(lines io.Reader) (v admin.Verification, hashes []string, err error) {
	v.Intact = true
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, maxInput)
	for scanner.Scan() {
		if len(bytes.TrimSpace(scanner.Bytes())) == 0 {
			continue
		}
		var e storage.Event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			return v, nil, usageErrorf("line %d is not a line of an audit trail: %w", v.Events+1, err)
		}
		if v.Events == 0 {
			v.LastSeq = e.Seq - 1
			v.HeadHash = e.Prev
		}
		if !e.Follows(v.LastSeq, v.HeadHash) {
			v.Intact = false
			v.BrokenAt = e.Seq
			return v, hashes, nil
		}
		v.Events++
		v.LastSeq = e.Seq
		v.HeadHash = e.Hash
		hashes = append(hashes, e.Hash.String())
	}
	if err := scanner.Err(); err != nil {
		return v, nil, fmt.Errorf("read the audit lines: %w", err)
	}
	return v, hashes, nil
}
