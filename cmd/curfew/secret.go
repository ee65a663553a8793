package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/curfew-id/curfew/cmd/curfew/terminal"
)

// maxInput limits what a command reads from a file or stdin, in bytes.
const maxInput = 1 << 20

// readPassword reads a new password: from stdin, or typed twice without echo. No command takes a password as an
// argument, because every OS user can read the arguments of a process.
func (p *program) readPassword(fromStdin bool) (string, error) {
	if fromStdin {
		text, err := io.ReadAll(io.LimitReader(p.stdin, maxInput))
		if err != nil {
			return "", fmt.Errorf("read the password from stdin: %w", err)
		}
		withoutNewline := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
		if withoutNewline == "" {
			return "", usageErrorf("stdin has no password")
		}
		return withoutNewline, nil
	}
	tty, ok := p.stdin.(*os.File)
	if !ok || !terminal.IsTerminal(p.stdin) {
		return "", &exitError{
			code: exitUsage,
			err:  errors.New("no terminal to prompt for a password"),
			hint: "use --password-stdin",
		}
	}
	first, err := p.promptPassword(tty, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := p.promptPassword(tty, "Again: ")
	switch {
	case err != nil:
		return "", err
	case first != second:
		return "", usageErrorf("the two passwords differ")
	case first == "":
		return "", usageErrorf("the password is empty")
	}
	return first, nil
}

func (p *program) promptPassword(tty *os.File, prompt string) (string, error) {
	fmt.Fprint(p.stderr, prompt)
	text, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(p.stderr)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return string(text), nil
}

// readInput reads a file, or stdin for "-".
func (p *program) readInput(file string) ([]byte, error) {
	source := p.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, &exitError{code: exitUsage, err: err}
		}
		defer f.Close()
		source = f
	}
	text, err := io.ReadAll(io.LimitReader(source, maxInput+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", file, err)
	case len(text) > maxInput:
		return nil, usageErrorf("%s is larger than 1 MiB", file)
	}
	return text, nil
}

// confirm returns nil if the operator confirms a destructive command, with --yes or by an answer on the terminal.
// hintWithoutTerminal is the hint of the error if there is no terminal to ask the question.
func (p *program) confirm(yes bool, question, hintWithoutTerminal string) error {
	if yes {
		return nil
	}
	if !terminal.IsTerminal(p.stdin) {
		return &exitError{code: exitUsage, err: errors.New("this cannot be undone"), hint: hintWithoutTerminal}
	}
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	answer, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return &exitError{code: exitFailed, err: errors.New("nothing was done")}
}
