package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// mustCertify writes a certificate with that serial number.
func mustCertify(t *testing.T, folder string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		DNSNames:     []string{"localhost"},
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	mustWriteFile(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	mustWriteFile(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return cert, key
}

// mustTrust is a client that trusts that certificate and nothing else.
func mustTrust(t *testing.T, cert string) *http.Client {
	t.Helper()
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("no certificate in the file")
	}
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true},
	}
}

func mustWriteFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustServeSerial(t *testing.T, c *certificate, want int64) {
	t.Helper()
	pair, err := c.tlsConfig().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := pair.Leaf.SerialNumber.Int64(); got != want {
		t.Errorf("got the certificate with serial number %d, want %d", got, want)
	}
}

func TestCertificateIsReadAgainWhenItChangesOrOnSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		cert, key := mustCertify(t, folder, 1)
		c, err := newCertificate(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		hangup := make(chan os.Signal, 1)
		go c.watch(ctx, hangup, slog.New(slog.DiscardHandler))
		defer func() { cancel(); synctest.Wait() }()

		mustCertify(t, folder, 2)
		mustServeSerial(t, c, 1)
		time.Sleep(certificateCheckInterval + time.Second)
		synctest.Wait()
		mustServeSerial(t, c, 2)

		mustCertify(t, folder, 3)
		hangup <- os.Interrupt
		synctest.Wait()
		mustServeSerial(t, c, 3)

		// Half a renewal is no certificate: the one before stays.
		mustWriteFile(t, key, "broken")
		time.Sleep(certificateCheckInterval + time.Second)
		synctest.Wait()
		mustServeSerial(t, c, 3)
	})
}

func TestCertificateThatCannotBeReadStopsTheStart(t *testing.T) {
	folder := t.TempDir()
	cert, key := mustCertify(t, folder, 1)
	mustWriteFile(t, key, "broken")
	if _, err := newCertificate(cert, key); err == nil {
		t.Error("got no error")
	}
}
