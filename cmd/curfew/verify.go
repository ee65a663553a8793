package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/logout"
)

// verification is the result of verifying a signed report.
type verification struct {
	Report    string           `json:"report"`
	Issuer    string           `json:"iss"`
	SignedAt  time.Time        `json:"signed_at"`
	Signature string           `json:"signature"` // valid or unverified
	Problems  []string         `json:"problems,omitempty"`
	Document  *logout.Document `json:"document"`
}

func (p *program) logoutVerify() *cobra.Command {
	var keyFile string
	var unsigned bool
	var want expectedReport
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify a signed report without the server: signature, issuer, horizon and audit lines",
		Long: "Verify a signed report (`curfew logout show REPORT --signed`) without the server. " +
			"FILE is - for stdin.\n\n" +
			"--jwks names a copy of the provider's key set (/jwks): " +
			"the signature proves that the provider issued the report. --unsigned\n" +
			"verifies no signature. Both check that the report is consistent: " +
			"its horizon follows from its entries, every trust state has\n" +
			"its evidence, and its audit lines are intact. " +
			"The issuer must be that of the configuration, or of --issuer.\n\n" +
			"Exit codes: 0 all checks passed; 1 a check failed; 2 wrong usage, or FILE is no report.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := p.readInput(args[0])
			if err != nil {
				return err
			}
			hasKeys := keyFile != ""
			if hasKeys == unsigned {
				return &exitError{
					code: exitUsage,
					err:  usageErrorf("needs --jwks FILE, or --unsigned to verify no signature"),
					hint: "a copy of the provider's /jwks is the key set",
				}
			}
			var keys []byte
			if hasKeys {
				keys, err = p.readInput(keyFile)
				if err != nil {
					return err
				}
			}
			if want.Issuer == "" {
				cfg, err := p.loadConfig()
				if err != nil {
					// err lists all missing settings; this command needs the issuer only.
					return usageErrorf("needs --issuer URL, or --config FILE with an issuer")
				}
				want.Issuer = cfg.Issuer
			}
			v, err := verifyReport(text, keys, want)
			if err != nil {
				return err
			}
			return p.showVerification(v)
		},
	}
	cmd.Flags().StringVar(&keyFile, "jwks", "", "the provider's key set in `FILE`")
	cmd.Flags().BoolVar(&unsigned, "unsigned", false, "verify no signature: anyone can have written the report")
	cmd.Flags().StringVar(
		&want.Issuer,
		"issuer",
		"",
		"the issuer must be this `URL` (default: the issuer of the configuration)",
	)
	cmd.Flags().StringVar(&want.Subject, "subject", "", "the report must be about the user with this `SUBJECT`")
	return cmd
}

// expectedReport has the values that a report must have.
type expectedReport struct {
	Issuer  string
	Subject string // empty: of any user
}

// reportAlgorithms are the algorithms that a provider signs reports with. All are asymmetric. With a symmetric one,
// anyone who can verify a report could also forge one.
var reportAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}

// verifyReport parses a signed report, verifies its signature with a JSON Web Key Set and checks that the report is
// consistent. With nil keys it verifies no signature.
func verifyReport(text, keys []byte, want expectedReport) (verification, error) {
	v := verification{Signature: "unverified"}
	jws, err := jose.ParseSignedCompact(string(bytes.TrimSpace(text)), reportAlgorithms)
	if err != nil {
		return v, &exitError{
			code: exitUsage,
			err:  fmt.Errorf("not a signed report: %w", err),
			hint: "`curfew logout show REPORT --signed` makes one",
		}
	}
	header := jws.Signatures[0].Protected
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	if typ != logout.DocumentTyp {
		return v, &exitError{
			code: exitUsage,
			err:  fmt.Errorf("not a report: its typ is %q, not %q", typ, logout.DocumentTyp),
		}
	}
	payload := jws.UnsafePayloadWithoutVerification()
	if keys != nil {
		payload, err = verifySignature(jws, header.KeyID, keys)
		if err != nil {
			return v, err
		}
		v.Signature = "valid"
	}
	if err := json.Unmarshal(payload, &v.Document); err != nil || v.Document == nil {
		return v, &exitError{
			code: exitUsage,
			err:  errors.New("not a report: its payload is not a JSON object with the fields of a report"),
		}
	}
	v.Report = v.Document.ReportID
	v.Issuer = v.Document.Issuer
	v.SignedAt = time.Unix(v.Document.IssuedAt, 0)
	v.Problems = v.Document.Check()
	if v.Issuer != want.Issuer {
		v.Problems = append(v.Problems, fmt.Sprintf("its issuer is %s, want %s", v.Issuer, want.Issuer))
	}
	if want.Subject != "" && v.Document.Subject != want.Subject {
		v.Problems = append(v.Problems, fmt.Sprintf("its subject is %s, want %s", v.Document.Subject, want.Subject))
	}
	return v, nil
}

// verifySignature verifies the signature with the key kid of a JSON Web Key Set and returns the payload.
func verifySignature(jws *jose.JSONWebSignature, kid string, keys []byte) (payload []byte, err error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys, &set); err != nil {
		return nil, &exitError{code: exitUsage, err: fmt.Errorf("read the key set: %w", err)}
	}
	matches := set.Key(kid)
	if len(matches) == 0 {
		return nil, &exitError{
			code: exitFailed,
			err:  fmt.Errorf("the report is signed with the key %q, which is not in the key set", kid),
			hint: "keys leave the provider's key set some time after their rotation; " +
				"sign the report again to use a current one",
		}
	}
	payload, err = jws.Verify(matches[0])
	if err != nil {
		return nil, &exitError{
			code: exitFailed,
			err:  errors.New("the signature is invalid: the provider did not sign this report"),
		}
	}
	return payload, nil
}

func (p *program) showVerification(v verification) error {
	if p.format == "json" {
		if err := p.printJSON(v); err != nil {
			return err
		}
	} else {
		signature := v.Signature
		if signature == "unverified" {
			signature = "not verified: give --jwks to verify it"
		}
		facts := [][2]string{
			{"report", v.Report},
			{"issuer", v.Issuer},
			{"signed", formatTime(v.SignedAt)},
			{"signature", signature},
			{"ended", formatTime(v.Document.EndedAt)},
			{"reason", string(v.Document.Reason)},
			{"sub", v.Document.Subject},
		}
		horizon := logout.Estimate{
			At:      v.SignedAt,
			OP:      v.Document.OP,
			Tokens:  v.Document.Tokens,
			Clients: v.Document.Clients,
			Offline: v.Document.Offline,
		}
		if err := p.printFields(append(facts, horizonFields(horizon)...)); err != nil {
			return err
		}
	}
	if len(v.Problems) > 0 {
		return &exitError{
			code: exitFailed,
			err:  fmt.Errorf("the report is not valid:\n%s", strings.Join(v.Problems, "\n")),
		}
	}
	return nil
}
