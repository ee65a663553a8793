package suite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Provider is a running OP.
type Provider interface {
	Issuer() string
	// Metadata fetches the discovery document.
	Metadata(ctx context.Context) (map[string]any, error)
	AddUser(ctx context.Context, p User) error
	AddClient(ctx context.Context, c Client) error
	RotateKey(ctx context.Context) error
	// Close stops the OP if Runner.Start has started it.
	Close() error
}

// Browser opens windows. Windows have no common cookies or storage.
type Browser interface {
	Open(ctx context.Context, run Run, p User, issuer string) (Window, error)
}

// Window is one user's browser.
type Window interface {
	// Visit requests url by method, and signs in, consents and signs out on the pages of the OP, until the browser is
	// back at the suite. With picture, the visit may also end on a page of the OP. Visit returns a PNG of the OP's last
	// page, or nil if the OP showed none.
	Visit(ctx context.Context, method, url string, picture bool) ([]byte, error)
	// Draw returns a PNG of an HTML page.
	Draw(ctx context.Context, html string) ([]byte, error)
	Close()
}

// Runner runs plans. API and Start are required.
type Runner struct {
	API *API
	// Start returns an OP for one run.
	Start   func(ctx context.Context, run Run) (Provider, error)
	Browser Browser // nil: modules that need a real browser fail
	// Modules selects modules by their names; nil: all.
	Modules  func(name string) bool
	Repeat   int       // how often each module runs; 0: once
	Parallel int       // how many modules run at a time; 0: one
	Out      string    // directory for the exported results; empty: none
	Progress io.Writer // gets a line for each module; nil: none
	// Save saves the results of a plan; nil: they are not saved.
	Save func(run Run, results []Result) error

	progressMu sync.Mutex
}

// Run executes runs, up to Parallel at a time, and returns the results in the order of runs. If a plan cannot be run,
// the others continue; the error has all such plans. The result of a module is in its Result.
func (r *Runner) Run(ctx context.Context, runs []Run) ([]Result, error) {
	slots := make(chan struct{}, max(r.Parallel, 1))
	results := make([][]Result, len(runs))
	problems := make([]error, len(runs))
	var group errgroup.Group
	group.SetLimit(cap(slots))
	for i, run := range runs {
		group.Go(func() error {
			var err error
			if results[i], err = r.plan(ctx, run, slots); err != nil {
				problems[i] = fmt.Errorf("%s %s: %w", run.Plan, run.Title(), err)
			}
			return nil
		})
	}
	_ = group.Wait() // nil: the errors are in problems
	return slices.Concat(results...), errors.Join(problems...)
}

// plan runs one plan with its own OP. With an alias, its modules run one after another; without one, as many run at a
// time as there are slots.
func (r *Runner) plan(ctx context.Context, run Run, slots chan struct{}) ([]Result, error) {
	op, err := r.Start(ctx, run)
	if err != nil {
		return nil, fmt.Errorf("start provider: %w", err)
	}
	defer op.Close()
	setup, err := r.prepare(ctx, run, op)
	if err != nil {
		return nil, err
	}
	created, err := r.API.CreatePlan(ctx, run.Plan, run.Variant, Config(run, setup))
	if err != nil {
		return nil, fmt.Errorf("create plan: %w", err)
	}
	modules := r.selectModules(created.Modules)
	if len(modules) == 0 {
		return nil, nil // the suite has no results to export
	}
	results := make([]Result, len(modules))
	d := &planRun{Runner: r, run: run, plan: created.ID, op: op, user: setup.User}
	var group errgroup.Group
	if setup.Alias != "" {
		group.SetLimit(1)
	} else {
		group.SetLimit(cap(slots))
	}
	for i, m := range modules {
		group.Go(func() error {
			slots <- struct{}{}
			defer func() { <-slots }()
			if err := ctx.Err(); err != nil {
				return err
			}
			results[i] = d.runModule(ctx, m)
			r.report(results[i])
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if r.Save != nil {
		if err := r.Save(run, results); err != nil {
			return results, fmt.Errorf("keep results: %w", err)
		}
	}
	return results, r.export(ctx, run, created.ID)
}

// selectModules returns the selected modules, each Repeat times.
func (r *Runner) selectModules(modules []Module) []Module {
	var all []Module
	for _, m := range modules {
		if r.Modules == nil || r.Modules(m.Name) {
			for range max(r.Repeat, 1) {
				all = append(all, m)
			}
		}
	}
	return all
}

// prepare adds the user and the clients of a run to the OP.
func (r *Runner) prepare(ctx context.Context, run Run, op Provider) (Setup, error) {
	setup := Setup{Suite: r.API.Base, Issuer: op.Issuer(), User: NewUser()}
	if err := op.AddUser(ctx, setup.User); err != nil {
		return setup, fmt.Errorf("add user: %w", err)
	}
	var err error
	if setup.Metadata, err = op.Metadata(ctx); err != nil {
		return setup, fmt.Errorf("fetch metadata: %w", err)
	}
	if run.UsesDynamicRegistration() {
		return setup, nil
	}
	setup.Alias = NewAlias()
	clients, err := NewStaticClients(run, Base(setup.Suite, setup.Alias))
	if err != nil {
		return setup, err
	}
	setup.StaticClients = &clients
	for _, client := range clients.All() {
		if err := op.AddClient(ctx, client); err != nil {
			return setup, fmt.Errorf("add client: %w", err)
		}
	}
	return setup, nil
}

// report prints the result of a module, its findings and, if there are any, the URL of its log.
func (r *Runner) report(result Result) {
	if r.Progress == nil {
		return
	}
	r.progressMu.Lock()
	defer r.progressMu.Unlock()
	fmt.Fprintf(r.Progress, "%-8s %6.1fs  %s\n", result.Result, result.Took.Seconds(), result.Name())
	for _, f := range result.Failures {
		fmt.Fprintf(r.Progress, "         failure in %s: %s\n", f.Condition, f.Message)
	}
	for _, f := range result.Warnings {
		fmt.Fprintf(r.Progress, "         warning in %s: %s\n", f.Condition, f.Message)
	}
	if len(result.Failures)+len(result.Warnings) > 0 && result.ID != "" {
		fmt.Fprintf(r.Progress, "         %s/log-detail.html?log=%s\n", r.API.Base, result.ID)
	}
}

// export saves the plan's signed results.
func (r *Runner) export(ctx context.Context, run Run, plan string) (err error) {
	if r.Out == "" {
		return nil
	}
	file, err := os.Create(filepath.Join(r.Out, fileName(run)+".zip"))
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, file.Close()) }()
	if err := r.API.Export(ctx, file, plan); err != nil {
		return fmt.Errorf("export results: %w", err)
	}
	return nil
}

var unsafeChars = regexp.MustCompile(`[^a-z0-9_]+`)

// fileName returns the name of a run for files and directories.
func fileName(run Run) string {
	plan := strings.TrimSuffix(run.Plan, "-certification-test-plan")
	var values []string
	for _, part := range strings.Split(run.Title(), ", ") {
		_, value, _ := strings.Cut(part, "=")
		values = append(values, unsafeChars.ReplaceAllString(value, "_"))
	}
	return strings.Trim(plan+"-"+strings.Join(values, "-"), "-")
}

// elapsed returns the time since start, rounded to a tenth of a second.
func elapsed(start time.Time) time.Duration { return time.Since(start).Round(100 * time.Millisecond) }
