package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/cmd/curfew/server"
	"github.com/curfew-id/curfew/cmd/curfew/terminal"
	"github.com/curfew-id/curfew/conformance/rp"
	"github.com/curfew-id/curfew/provider/admin"
)

// readHeaderTimeout limits the time for the headers of a request to an app.
const readHeaderTimeout = 5 * time.Second

// demo is a provider with two users and three apps.
type demo struct {
	program    string // the curfew binary, for the commands that announce prints
	configFile string // of the provider, for the same commands
	issuer     string
	galleryURL string // shows every page with made-up data
	apps       []demoApp
	users      []demoUser
}

// demoApp is one app with a host name of its own.
type demoApp struct {
	*rp.App
	host     string
	url      string
	channels string // how it is notified of a logout, as shown to users
}

type demoUser struct {
	login    string
	name     string
	password string
}

// run runs the demo until ctx ends and removes everything that it made.
func run(ctx context.Context, port int, program string, environ []string, stdout, stderr io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "curfew-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	opPort, listener, err := listenOnPorts(port)
	if err != nil {
		return fmt.Errorf("%w\n`make demo ARGS='--port 0'` takes any free ports", err)
	}
	defer listener.Close()
	d := newDemo(folder, program, opPort, listener.Addr())
	cfg, err := d.configure(opPort, environ)
	if err != nil {
		return err
	}
	log, err := server.NewLogger(stderr, cfg.Log)
	if err != nil {
		return err
	}
	slog.SetDefault(log)
	s, err := server.Open(ctx, server.Options{
		Config:  cfg,
		Log:     log,
		Version: "demo",
	})
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.Run(groupCtx, nil) })
	group.Go(func() error { return d.serve(groupCtx, listener) })
	group.Go(func() error {
		if err := d.seed(groupCtx, &admin.Client{Socket: server.SocketPath(string(cfg.Data))}); err != nil {
			return fmt.Errorf("seed the demo: %w", err)
		}
		return d.announce(stdout)
	})
	return group.Wait()
}

// listenOnPorts returns the provider's port and a listener for the apps on the next port. The ports must differ,
// because the provider never calls its own listener. With port 0 both are any free ports.
func listenOnPorts(port int) (opPort int, apps net.Listener, err error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, nil, fmt.Errorf("listen: %w", err)
	}
	defer l.Close() // only the number is needed; the provider opens its own listener
	opPort = l.Addr().(*net.TCPAddr).Port
	appsPort := 0
	if port != 0 {
		appsPort = port + 1
	}
	if apps, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(appsPort))); err != nil {
		return 0, nil, fmt.Errorf("listen: %w", err)
	}
	return opPort, apps, nil
}

func newDemo(folder, program string, opPort int, apps net.Addr) *demo {
	d := &demo{
		program:    program,
		configFile: filepath.Join(folder, "curfew.yaml"),
		issuer:     fmt.Sprintf("http://curfew.localhost:%d", opPort),
		galleryURL: fmt.Sprintf("http://pages.localhost:%d/", apps.(*net.TCPAddr).Port),
		users: []demoUser{
			{"ann", "Ann Archer", demoPassword()},
			{"ben", "Ben Baker", demoPassword()},
		},
	}
	add := func(name, channels string, c rp.Config) {
		host := strings.ToLower(name) + ".localhost"
		url := fmt.Sprintf("http://%s:%d", host, apps.(*net.TCPAddr).Port)
		c.Name = name
		c.URL = url
		c.Issuer = d.issuer
		c.ClientID = strings.ToLower(name)
		c.ClientSecret = rand.Text() + rand.Text()
		d.apps = append(d.apps, demoApp{rp.New(c), host, url, channels})
	}
	add("Atlas", "from server to server", rp.Config{BackChannel: true})
	add("Birch", "through the browser", rp.Config{FrontChannel: true})
	add(
		"Cedar",
		"both ways; can be made slow, refusing or broken",
		rp.Config{BackChannel: true, FrontChannel: true, Switchable: true},
	)
	return d
}

// demoPassword returns a random password that is easy to type.
func demoPassword() string {
	text := strings.ToLower(rand.Text())
	return text[:5] + "-" + text[5:10] + "-" + text[10:15]
}

// configure writes the provider's configuration file and loads it. It uses no variables of environ but those of the
// log.
func (d *demo) configure(opPort int, environ []string) (*config.Config, error) {
	text := fmt.Sprintf(
		"issuer: %s\nlisten: 127.0.0.1:%d\ndata: data\nlog.level: warn\negress.allow:\n",
		d.issuer,
		opPort,
	)
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

// serve serves the apps until ctx ends. All apps have the same address; the host name of a request selects the app.
func (d *demo) serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	for _, app := range d.apps {
		mux.Handle(app.host+"/", app)
	}
	mux.Handle("pages.localhost/", gallery())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderTimeout}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the applications: %w", err)
	}
	return nil
}

// seed adds the users and the apps through the admin socket.
func (d *demo) seed(ctx context.Context, c *admin.Client) error {
	for _, user := range d.users {
		_, err := c.AddUser(ctx, map[string]any{
			"preferred_username": user.login,
			"name":               user.name,
			"email":              user.login + "@example.org",
			"password":           user.password,
		})
		if err != nil {
			return err
		}
	}
	for _, app := range d.apps {
		metadata := app.Metadata()
		metadata["consent"] = "skip" // the apps belong to the operator
		metadata["renotify"] = false // the apps handle a logout token that arrives during the sign-in
		if _, err := c.AddClient(ctx, metadata); err != nil {
			return err
		}
	}
	return nil
}

// announce prints the URLs, the users' passwords and some commands.
func (d *demo) announce(w io.Writer) error {
	fmt.Fprintf(w, "Curfew runs at %s. Sign in at all three, sign out at one, and watch the others.\n\n", d.issuer)
	rows := [][]string{}
	for _, app := range d.apps {
		rows = append(rows, []string{app.url + "/", app.channels})
	}
	if err := terminal.PrintTable(w, []string{"application", "is notified of a logout"}, rows); err != nil {
		return err
	}
	rows = rows[:0]
	for _, user := range d.users {
		rows = append(rows, []string{user.login, user.password})
	}
	fmt.Fprintln(w)
	if err := terminal.PrintTable(w, []string{"user", "password"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `
Sessions: %s/account, or %s session list --config %s
Every page with canned data: %s
Ctrl-C stops everything and removes it.
`, d.issuer, d.program, d.configFile, d.galleryURL)
	return err
}
