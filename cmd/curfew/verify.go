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

// verification is what became of verifying a report.
type verification struct {
	Report    string           `json:"report"`
	Issuer    string           `json:"iss"`
	SignedAt  time.Time        `json:"signed"`
	Signature string           `json:"signature"` // good, unchecked
	Problems  []string         `json:"faults,omitempty"`
	Document  *logout.Document `json:"document"`
}

func (p *program) logoutVerify() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a signed report, without the server: signature, sums and audit lines",
		Long: "Check a signed report (`curfew logout show REPORT --signed`), without the server. FILE is - for stdin.\n\n" +
			"It always checks that the report does not contradict itself: that the three numbers follow from its rows, that nothing is\n" +
			"claimed without its ground, and that its audit lines are whole. Only with --jwks, a copy of the provider's key set\n" +
			"(/jwks), is it proven that the provider said it.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := p.readInput(args[0])
			if err != nil {
				return err
			}
			var keys []byte
			if keyFile != "" {
				if keys, err = p.readInput(keyFile); err != nil {
					return err
				}
			}
			v, err := verifyReport(text, keys)
			if err != nil {
				return err
			}
			return p.showVerification(v)
		},
	}
	cmd.Flags().StringVar(&keyFile, "jwks", "", "the provider's key set in `FILE`")
	return cmd
}

// reportAlgorithms are those that a provider signs with. Symmetric ones would let whoever verifies forge.
var reportAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}

// verifyReport reads a signed report and checks it; nil keys leave the signature unchecked.
func verifyReport(text, keys []byte) (verification, error) {
	v := verification{Signature: "unchecked"}
	jws, err := jose.ParseSignedCompact(string(bytes.TrimSpace(text)), reportAlgorithms)
	if err != nil {
		return v, &exitError{code: exitUsage, err: fmt.Errorf("not a signed report: %w", err), hint: "`curfew logout show REPORT --signed` makes one"}
	}
	header := jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != logout.DocumentTyp {
		return v, &exitError{code: exitUsage, err: fmt.Errorf("not a report: its typ is %q, not %q", typ, logout.DocumentTyp)}
	}
	payload := jws.UnsafePayloadWithoutVerification()
	if keys != nil {
		if payload, err = verifySignature(jws, header.KeyID, keys); err != nil {
			return v, err
		}
		v.Signature = "good"
	}
	if err := json.Unmarshal(payload, &v.Document); err != nil || v.Document == nil {
		return v, &exitError{code: exitUsage, err: errors.New("not a report: its payload is not a JSON object of the right members")}
	}
	v.Report, v.Issuer, v.SignedAt, v.Problems = v.Document.ReportID, v.Document.Issuer, time.Unix(v.Document.IssuedAt, 0), v.Document.Check()
	return v, nil
}

func verifySignature(jws *jose.JSONWebSignature, kid string, keys []byte) ([]byte, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys, &set); err != nil {
		return nil, &exitError{code: exitUsage, err: fmt.Errorf("read the key set: %w", err)}
	}
	matches := set.Key(kid)
	if len(matches) == 0 {
		return nil, &exitError{code: exitFailed, err: fmt.Errorf("the report is signed with the key %q, which is not in the key set", kid),
			hint: "keys leave the provider's key set some time after they were replaced; a report signed anew has a current one"}
	}
	payload, err := jws.Verify(matches[0])
	if err != nil {
		return nil, &exitError{code: exitFailed, err: errors.New("the signature is wrong: this is not what the provider signed")}
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
		if signature == "unchecked" {
			signature = "unchecked: give --jwks to prove that the provider said it"
		}
		facts := [][2]string{{"report", v.Report}, {"issuer", v.Issuer}, {"signed", formatTime(v.SignedAt)}, {"signature", signature},
			{"ended", formatTime(v.Document.EndedAt)}, {"reason", string(v.Document.Reason)}, {"sub", v.Document.Subject}}
		d := v.Document
		facts = append(facts, horizonFields(logout.Estimate{At: v.SignedAt, OP: d.OP, Tokens: d.Tokens, Clients: d.Clients, Offline: d.Offline})...)
		if err := p.printFields(facts); err != nil {
			return err
		}
	}
	if len(v.Problems) > 0 {
		return &exitError{code: exitFailed, err: fmt.Errorf("the report contradicts itself:\n%s", strings.Join(v.Problems, "\n"))}
	}
	return nil
}
