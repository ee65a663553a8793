package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/conformance/rp"
	"github.com/curfew-id/curfew/provider/admin"
)

func (p *program) demoCommand() *cobra.Command {
	var port int
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show it: a provider and three applications on this machine, gone without a trace at Ctrl-C",
		Long: "Start a provider with a store in a temporary folder, two people, and three applications, each a site of its own: one is told\n" +
			"of a logout from server to server, one through the browser, and one both ways; that one can be made slow, refusing or\n" +
			"broken on its own page.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context(), port) },
	}
	cmd.Flags().IntVar(&port, "port", 9080, "the provider's; the applications share the next one; 0: any free ones")
	return cmd
}

// demo is what `curfew demo` shows.
type demo struct {
	configFile string // the provider's configuration, so that the commands find it like any other
	issuer     string
	galleryURL string // where every page can be looked at with canned data
	apps       []demoApp
	users      []demoUser
}

type demoApp struct {
	*rp.App
	host, url, channels string
}

type demoUser struct{ login, name, password string }

func (p *program) demo(ctx context.Context, port int) (err error) {
	folder, err := os.MkdirTemp("", "curfew-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	opPort, listener, err := demoPorts(port)
	if err != nil {
		return &exitError{code: exitFailed, err: err, hint: "`curfew demo --port 0`, or `make demo ARGS='--port 0'`, takes any free ports"}
	}
	defer listener.Close()
	d := newDemo(folder, opPort, listener.Addr())
	cfg, err := d.configure(opPort, p.environ)
	if err != nil {
		return err
	}
	log, err := newLogger(p.stderr, cfg.Log)
	if err != nil {
		return err
	}
	slog.SetDefault(log)
	s, err := openServer(ctx, cfg, log)
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.run(groupCtx, nil) })
	group.Go(func() error { return d.serve(groupCtx, listener) })
	group.Go(func() error {
		if err := d.seed(groupCtx, &admin.Client{Socket: socketPath(string(cfg.Data))}); err != nil {
			return fmt.Errorf("seed the demo: %w", err)
		}
		return d.announce(p)
	})
	return group.Wait()
}

// demoPorts finds the provider's port and listens at the applications'. They are two, since the provider never calls its own.
func demoPorts(port int) (opPort int, apps net.Listener, err error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, nil, fmt.Errorf("listen: %w", err)
	}
	// Only the number was wanted, which the issuer needs: the provider listens by itself.
	defer l.Close()
	if opPort = l.Addr().(*net.TCPAddr).Port; port != 0 {
		port++
	}
	if apps, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err != nil {
		return 0, nil, fmt.Errorf("listen: %w", err)
	}
	return opPort, apps, nil
}

func newDemo(folder string, opPort int, apps net.Addr) *demo {
	d := &demo{
		configFile: filepath.Join(folder, "curfew.yaml"),
		issuer:     fmt.Sprintf("http://curfew.localhost:%d", opPort),
		galleryURL: fmt.Sprintf("http://pages.localhost:%d/", apps.(*net.TCPAddr).Port),
		users:      []demoUser{{"ann", "Ann Archer", demoPassword()}, {"ben", "Ben Baker", demoPassword()}},
	}
	add := func(name, channels string, c rp.Config) {
		host := strings.ToLower(name) + ".localhost"
		url := fmt.Sprintf("http://%s:%d", host, apps.(*net.TCPAddr).Port)
		c.Name, c.URL, c.Issuer, c.ClientID, c.ClientSecret = name, url, d.issuer, strings.ToLower(name), rand.Text()+rand.Text()
		d.apps = append(d.apps, demoApp{rp.New(c), host, url, channels})
	}
	add("Atlas", "from server to server", rp.Config{BackChannel: true})
	add("Birch", "through the browser", rp.Config{FrontChannel: true})
	add("Cedar", "both ways; can be made slow, refusing or broken", rp.Config{BackChannel: true, FrontChannel: true, Switchable: true})
	return d
}

// demoPassword is one that a person can read off the screen and type.
func demoPassword() string {
	text := strings.ToLower(rand.Text())
	return text[:5] + "-" + text[5:10] + "-" + text[10:15]
}

// configure makes the provider's configuration. Of the environment nothing counts but how to log.
func (d *demo) configure(opPort int, environ []string) (*config.Config, error) {
	text := fmt.Sprintf("issuer: %s\nlisten: 127.0.0.1:%d\ndata: data\nlog.level: warn\negress.allow:\n", d.issuer, opPort)
	for _, app := range d.apps {
		text += "  - " + strings.TrimPrefix(app.url, "http://") + "\n"
	}
	if err := os.WriteFile(d.configFile, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write the demo's configuration: %w", err)
	}
	var logVariables []string
	for _, pair := range environ {
		if strings.HasPrefix(pair, "CURFEW_LOG_") {
			logVariables = append(logVariables, pair)
		}
	}
	return config.Load(d.configFile, logVariables)
}

// serve serves the applications until ctx ends. They share an address and are told apart by their names.
func (d *demo) serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	for _, app := range d.apps {
		mux.Handle(app.host+"/", app)
	}
	mux.Handle("pages.localhost/", gallery())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderTimeout}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the applications: %w", err)
	}
	return nil
}

// seed adds people and applications as an administrator would.
func (d *demo) seed(ctx context.Context, c *admin.Client) error {
	for _, user := range d.users {
		_, err := c.AddUser(ctx, map[string]any{"preferred_username": user.login, "name": user.name, "email": user.login + "@example.org", "password": user.password})
		if err != nil {
			return err
		}
	}
	for _, app := range d.apps {
		metadata := app.Metadata()
		metadata["consent"] = "skip" // they belong to whoever runs the provider
		metadata["renotify"] = false // they know a sid that ended while they were still making its session
		if _, err := c.AddClient(ctx, metadata); err != nil {
			return err
		}
	}
	return nil
}

// announce says where everything is. The passwords are shown this once.
func (d *demo) announce(p *program) error {
	fmt.Fprintf(p.stdout, "Curfew runs at %s. Sign in at all three, sign out at one, and watch the others.\n\n", d.issuer)
	rows := [][]string{}
	for _, app := range d.apps {
		rows = append(rows, []string{app.url + "/", app.channels})
	}
	if err := p.printTable([]string{"application", "is told of a logout"}, rows); err != nil {
		return err
	}
	rows = rows[:0]
	for _, user := range d.users {
		rows = append(rows, []string{user.login, user.password})
	}
	fmt.Fprintln(p.stdout)
	if err := p.printTable([]string{"user", "password"}, rows); err != nil {
		return err
	}
	executable, err := os.Executable() // after `make demo` it is on no PATH
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "\nSessions and their ends: %s/account, or %s session list --config %s\nEvery page with canned data: %s\nCtrl-C stops everything and leaves nothing behind.\n", d.issuer, executable, d.configFile, d.galleryURL)
	return err
}
