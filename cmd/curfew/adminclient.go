package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"

	"github.com/curfew-id/curfew/cmd/curfew/server"
	"github.com/curfew-id/curfew/provider/admin"
)

// adminClient returns a client of the admin API. The API listens on a socket in the data folder of the configuration.
func (p *program) adminClient() (*admin.Client, error) {
	cfg, err := p.loadConfig()
	if err != nil {
		return nil, err
	}
	return &admin.Client{Socket: server.SocketPath(string(cfg.Data))}, nil
}

// withExitCode wraps an error of an API call in an exitError. It has an exit code and, for some errors, a hint how to
// fix the error.
func withExitCode(err error) error {
	var apiErr *admin.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return &exitError{code: exitUnreachable, err: err, hint: "run this command as the OS user who runs the server"}
	case errors.Is(err, admin.ErrUnreachable):
		return &exitError{
			code: exitUnreachable,
			err:  err,
			hint: "start `curfew serve` with the same configuration; --config names it",
		}
	case !errors.As(err, &apiErr):
		return err
	}
	code := exitFailed
	switch apiErr.Status {
	case http.StatusNotFound:
		code = exitNotFound
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		code = exitUsage
	}
	if len(apiErr.Problems) <= 1 {
		return &exitError{code: code, err: apiErr}
	}
	problems := make([]error, len(apiErr.Problems))
	for i, problem := range apiErr.Problems {
		problems[i] = problem
	}
	return &exitError{code: code, err: errors.Join(problems...)}
}

// callAndPrint makes one call of the admin API and prints the result: as JSON with -o json, or else with print.
func callAndPrint[T any](
	ctx context.Context,
	p *program,
	call func(context.Context, *admin.Client) (T, error),
	print func(T) error,
) error {
	c, err := p.adminClient()
	if err != nil {
		return err
	}
	result, err := call(ctx, c)
	if err != nil {
		return withExitCode(err)
	}
	if p.format == "json" {
		return p.printJSON(result)
	}
	return print(result)
}

// printList prints items: as one JSON array with -o json, else as a table with header and a row for each item.
func printList[T any](p *program, items iter.Seq2[T, error], header []string, row func(T) []string) error {
	all := []T{}
	for item, err := range items {
		if err != nil {
			return withExitCode(err)
		}
		all = append(all, item)
	}
	if p.format == "json" {
		return p.printJSON(all)
	}
	if len(all) == 0 {
		fmt.Fprintln(p.stderr, "none")
		return nil
	}
	rows := make([][]string, len(all))
	for i, item := range all {
		rows[i] = row(item)
	}
	return p.printTable(header, rows)
}

// seqOf returns a slice as a sequence without errors, for printList.
func seqOf[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}
