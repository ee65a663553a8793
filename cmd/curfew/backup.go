package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/archive"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage/backup"
)

// encryption has the flags that say to whom a backup is encrypted.
type encryption struct {
	recipients     []string
	recipientsFile string
	passphraseFile string
}

// addEncryptionFlags adds the flags of commands that write a backup.
func addEncryptionFlags(cmd *cobra.Command) *encryption {
	e := &encryption{}
	flags := cmd.Flags()
	flags.StringArrayVar(&e.recipients, "recipient", nil, "encrypt to this age `RECIPIENT` (age1…); may be repeated")
	flags.StringVar(&e.recipientsFile, "recipients-file", "", "encrypt to the age recipients in this `FILE`")
	flags.StringVar(&e.passphraseFile, "passphrase-file", "", "encrypt with the passphrase in this `FILE`")
	return e
}

// parse returns the recipients of the flags; none: the backup is not encrypted.
func (e *encryption) parse() ([]age.Recipient, error) {
	recipients, err := archive.ParseRecipients(e.recipients)
	if err != nil {
		return nil, usageErrorf("--recipient: %w", err)
	}
	if e.recipientsFile != "" {
		more, err := archive.ReadRecipients(e.recipientsFile)
		if err != nil {
			return nil, &exitError{code: exitUsage, err: err}
		}
		recipients = append(recipients, more...)
	}
	if e.passphraseFile == "" {
		return recipients, nil
	}
	if len(recipients) > 0 {
		return nil, usageErrorf("--passphrase-file cannot be used together with recipients")
	}
	passphrase, err := archive.ReadPassphrase(e.passphraseFile)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("use the passphrase: %w", err)
	}
	return []age.Recipient{recipient}, nil
}

// decryption has the flags that say how an encrypted backup is opened.
type decryption struct {
	identityFile   string
	passphraseFile string
}

// addDecryptionFlags adds the flags of commands that read a backup.
func addDecryptionFlags(cmd *cobra.Command) *decryption {
	d := &decryption{}
	cmd.Flags().StringVar(&d.identityFile, "identity", "", "decrypt with the age identities in this `FILE`")
	cmd.Flags().StringVar(&d.passphraseFile, "passphrase-file", "", "decrypt with the passphrase in this `FILE`")
	return d
}

func (d *decryption) parse() (identities []age.Identity, err error) {
	if d.identityFile != "" {
		if identities, err = archive.ReadIdentities(d.identityFile); err != nil {
			return nil, &exitError{code: exitUsage, err: err}
		}
	}
	if d.passphraseFile != "" {
		passphrase, err := archive.ReadPassphrase(d.passphraseFile)
		if err != nil {
			return nil, &exitError{code: exitUsage, err: err}
		}
		identity, err := age.NewScryptIdentity(passphrase)
		if err != nil {
			return nil, fmt.Errorf("use the passphrase: %w", err)
		}
		identities = append(identities, identity)
	}
	return identities, nil
}

func (p *program) backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a backup of the store while the server runs",
		Long: "Write a backup of the store while the server runs, as of one moment; FILE is - for stdout. " +
			"The backup does not contain\n" +
			"the key file, which unwraps the private keys: `curfew key backup` copies it. " +
			"Keep the two apart, or encrypt both.\n\n" +
			"`curfew check FILE` checks a backup, and `curfew restore FILE` restores it.",
		Example: "  curfew backup /backup/curfew.backup\n" +
			"  curfew backup - --recipients-file vault.txt | ssh vault 'cat > curfew.age'",
		Args: cobra.ExactArgs(1),
	}
	e := addEncryptionFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		recipients, err := e.parse()
		if err != nil {
			return err
		}
		return p.backUp(cmd.Context(), args[0], recipients)
	}
	return cmd
}

// backUp writes a backup of the running server's store.
func (p *program) backUp(ctx context.Context, path string, recipients []age.Recipient) error {
	c, err := p.adminClient()
	if err != nil {
		return err
	}
	answer, err := c.Backup(ctx)
	if err != nil {
		return withExitCode(err)
	}
	defer answer.Close()
	var h backup.Header
	copyBackup := func(w io.Writer) (err error) {
		h, err = copyVerified(w, answer)
		return err
	}
	if path == "-" {
		return archive.Write(p.stdout, recipients, copyBackup)
	}
	if err := archive.WriteFile(path, recipients, copyBackup); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if p.format == "json" {
		return p.printJSON(h)
	}
	return p.printFields(append([][2]string{{"written", path}}, describeBackup(h)...))
}

// copyVerified copies a backup and returns its header. It returns an error if the backup broke off.
func copyVerified(w io.Writer, r io.Reader) (backup.Header, error) {
	b, err := backup.NewReader(io.TeeReader(r, w))
	if err != nil {
		return backup.Header{}, err
	}
	if err := b.Copy(io.Discard); err != nil {
		return b.Header, err
	}
	return b.Header, nil
}

// describeBackup returns the fields of a header for printFields.
func describeBackup(h backup.Header) [][2]string {
	return [][2]string{
		{"issuer", h.Issuer},
		{"made", formatTime(h.Created)},
		{"by version", h.Version},
		{"schema", strconv.FormatUint(h.Schema, 10)},
		{"store", h.StoreID},
		{"transaction", strconv.FormatUint(h.Transaction, 10)},
		{"last audit line", strconv.FormatUint(h.AuditLine, 10)},
		{"bytes", strconv.FormatInt(h.Size, 10)},
	}
}

func (p *program) keyBackup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the key file, which unwraps the private keys in a backup",
		Long: "Copy the key file, which unwraps the private keys in a backup; FILE is - for stdout. " +
			"Keep the copy apart from backups\n" +
			"of the store: neither is of use without the other. " +
			"To restore it, put it where key_file says, with mode 0600.",
		Args: cobra.ExactArgs(1),
	}
	e := addEncryptionFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		recipients, err := e.parse()
		if err != nil {
			return err
		}
		return p.backUpKey(args[0], recipients)
	}
	return cmd
}

// backUpKey copies the key file of the configuration.
func (p *program) backUpKey(path string, recipients []age.Recipient) error {
	cfg, err := p.loadConfig()
	if err != nil {
		return err
	}
	if _, err := keys.ReadAuditKey(string(cfg.KeyFile)); err != nil { // a copy of a broken key file is of no use
		return err
	}
	content, err := os.ReadFile(string(cfg.KeyFile))
	if err != nil {
		return err
	}
	writeKey := func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}
	if path == "-" {
		return archive.Write(p.stdout, recipients, writeKey)
	}
	if err := archive.WriteFile(path, recipients, writeKey); err != nil {
		return fmt.Errorf("copy the key file: %w", err)
	}
	fmt.Fprintln(p.stdout, "written "+path)
	return nil
}

// openBackup opens a backup, which may be encrypted. The caller closes the file.
func openBackup(path string, d *decryption) (*backup.Reader, io.Closer, error) {
	identities, err := d.parse()
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, &exitError{code: exitUsage, err: err}
	}
	content, err := archive.Reader(f, identities)
	if errors.Is(err, archive.ErrEncrypted) {
		err = &exitError{code: exitUsage, err: err, hint: "--identity FILE or --passphrase-file FILE"}
	}
	var b *backup.Reader
	if err == nil {
		b, err = backup.NewReader(content)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read %s: %w", path, err), f.Close())
	}
	return b, f, nil
}
