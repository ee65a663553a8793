package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"

	"github.com/curfew-id/curfew/provider/admin"
)

// server is the client of the serving process that the configuration names.
func (p *program) server() (*admin.Client, error) {
	cfg, err := p.configuration()
	if err != nil {
		return nil, err
	}
	return &admin.Client{Socket: socketPath(string(cfg.Data))}, nil
}

// answered gives an answer of the API, or none, the exit code it stands for and a hint at the way out.
func answered(err error) error {
	var told *admin.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return &failure{code: exitUnreachable, err: err, hint: "the socket is for the user who runs the server"}
	case errors.Is(err, admin.ErrUnreachable):
		return &failure{code: exitUnreachable, err: err, hint: "`curfew serve` has to run with the same configuration; --config names it"}
	case !errors.As(err, &told):
		return err
	}
	code := exitFailed
	switch told.Status {
	case http.StatusNotFound:
		code = exitNotFound
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		code = exitUsage
	}
	errs := []error{told}
	if len(told.Problems) > 1 {
		errs = errs[:0]
		for _, problem := range told.Problems {
			errs = append(errs, problem)
		}
	}
	return &failure{code: code, err: errors.Join(errs...)}
}

// ask is one question to the serving process and what is done with its answer.
func ask[T any](ctx context.Context, p *program, question func(context.Context, *admin.Client) (T, error), show func(T) error) error {
	c, err := p.server()
	if err != nil {
		return err
	}
	answer, err := question(ctx, c)
	if err != nil {
		return answered(err)
	}
	if p.format == "json" {
		return p.json(answer)
	}
	return show(answer)
}

// list shows a listing, a row for each item.
func list[T any](p *program, items iter.Seq2[T, error], header []string, row func(T) []string) error {
	all := []T{}
	for item, err := range items {
		if err != nil {
			return answered(err)
		}
		all = append(all, item)
	}
	if p.format == "json" {
		return p.json(all)
	}
	if len(all) == 0 {
		fmt.Fprintln(p.stderr, "none")
		return nil
	}
	rows := make([][]string, len(all))
	for i, item := range all {
		rows[i] = row(item)
	}
	return p.table(header, rows)
}

// each makes a listing of a slice.
func each[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}
