package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

func (p *program) auditVerify() *cobra.Command {
	var since, keyFile string
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Check that no line was changed or removed, at the server or in an export",
		Long: "Check that no line of the audit trail was changed or removed: at the server, or in an export " +
			"(`curfew audit -o json`)\n" +
			"without it; FILE is - for stdin. Each line has a MAC with a key from the key file, " +
			"so the store alone does\nnot suffice to rewrite the trail.\n\n" +
			"The lines cannot show that the trail was cut off at its end. " +
			"A checkpoint can: the server writes one to its log at each\n" +
			"audit.checkpoint_every, and to audit.checkpoint_url. " +
			"--since proves that no line up to that checkpoint is missing.\n\n" +
			"Lines that audit.retention removed from the beginning do not break the trail: " +
			"the store has a signed note up to which line.\n\n" +
			"Exit codes: 0 the trail is intact; 1 it is not; 2 wrong usage, or FILE is no export.",
		Example: "  curfew audit verify\n  curfew audit verify trail.jsonl --since 1042.1790000000.7Pq….Xw…",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := p.verifyTrail(cmd.Context(), args, since, keyFile)
			if err != nil {
				return err
			}
			return p.showTrail(v)
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "the trail must go as far as this `CHECKPOINT`")
	cmd.Flags().StringVar(&keyFile, "key-file", "", "for FILE: the key file (default: that of the configuration)")
	return cmd
}

// showTrail prints the result of a verification.
func (p *program) showTrail(v admin.Verification) error {
	if p.format == "json" {
		if err := p.printJSON(v); err != nil {
			return err
		}
	} else if v.Intact {
		fmt.Fprintf(p.stdout, "intact: %s, the last is %d\n", pluralize(v.Events, "line"), v.LastSeq)
		switch {
		case v.RemovedTo > 0:
			fmt.Fprintf(
				p.stdout,
				"lines up to %d were removed by audit.retention, the last of them at %s: the store has a signed note\n",
				v.RemovedTo,
				formatTime(v.RemovedAt),
			)
		case v.FirstSeq > 1:
			fmt.Fprintf(p.stdout, "the first is %d: what came before is not in this file\n", v.FirstSeq)
		}
		if v.CompleteTo > 0 {
			fmt.Fprintf(p.stdout, "complete up to line %d, by the checkpoint\n", v.CompleteTo)
		} else {
			fmt.Fprintln(p.stdout, "the end is not proven: lines after the last can have been cut off; "+
				"--since CHECKPOINT proves that none up to the checkpoint was")
		}
		fmt.Fprintf(p.stdout, "checkpoint: %s\n", v.Checkpoint)
	}
	if !v.Intact {
		return &exitError{
			code: exitFailed,
			err:  &storage.TrailError{Line: v.BrokenAt, Problem: v.Problem},
		}
	}
	return nil
}

// verifyTrail asks the server to verify its trail or, if args names a file, verifies the lines of that file.
func (p *program) verifyTrail(ctx context.Context, args []string, since, keyFile string) (admin.Verification, error) {
	if len(args) == 0 {
		c, err := p.adminClient()
		if err != nil {
			return admin.Verification{}, err
		}
		v, err := c.VerifyEvents(ctx, since)
		return v, withExitCode(err)
	}
	key, err := p.auditKey(keyFile)
	if err != nil {
		return admin.Verification{}, err
	}
	v := storage.TrailVerifier{Key: key, AnyStart: true}
	if since != "" {
		checkpoint, err := storage.ParseCheckpoint(since, v.Key)
		if err != nil {
			return admin.Verification{}, usageErrorf("--since: %w", err)
		}
		v.Checkpoint = &checkpoint
	}
	lines, err := p.openTrail(args[0])
	if err != nil {
		return admin.Verification{}, err
	}
	defer lines.Close()
	broken, err := verifyLines(&v, lines)
	if err != nil {
		return admin.Verification{}, err
	}
	return admin.NewVerification(&v, broken, time.Now()), nil
}

// auditKey returns the key of the audit trail. It reads keyFile or, if that is empty, the key file of the
// configuration.
func (p *program) auditKey(keyFile string) (storage.AuditKey, error) {
	if keyFile == "" {
		cfg, err := p.loadConfig()
		if err != nil {
			// err lists all missing settings; this command needs the key file only.
			return nil, usageErrorf("needs --key-file FILE, or --config FILE with the provider's configuration")
		}
		keyFile = string(cfg.KeyFile)
	}
	key, err := keys.ReadAuditKey(keyFile)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	return key, nil
}

// openTrail opens a file with the JSON lines of a trail, or stdin if path is "-".
func (p *program) openTrail(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(p.stdin), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	return f, nil
}

// verifyLines verifies an export. broken is a *storage.TrailError if the trail is not intact.
func verifyLines(v *storage.TrailVerifier, lines io.Reader) (broken, err error) {
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, maxInput)
	for n := 1; scanner.Scan(); n++ {
		if len(bytes.TrimSpace(scanner.Bytes())) == 0 {
			continue
		}
		var e storage.Event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			return nil, usageErrorf("line %d is not a line of an audit trail: %w", n, err)
		}
		if trailErr := v.Add(e); trailErr != nil {
			return trailErr, nil
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read the audit lines: %w", err)
	}
	return v.Finish(), nil
}
