package password

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// breachedLines returns the sorted lines HASH:COUNT of passwords that were breached.
func breachedLines(passwords ...string) []string {
	var lines []string
	for _, p := range passwords {
		lines = append(lines, fmt.Sprintf("%X:%d", sha1.Sum([]byte(p)), 3))
	}
	slices.Sort(lines)
	return lines
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustOpenBreached(t *testing.T, path string) Rules {
	t.Helper()
	list, err := OpenBreachedList(path)
	if err != nil {
		t.Fatal(err)
	}
	return Rules{Breached: list}
}

// manyPasswords are enough for lines at every place of a bisection.
func manyPasswords() []string {
	var all []string
	for i := range 500 {
		all = append(all, fmt.Sprintf("this one was stolen %d", i))
	}
	return all
}

func TestBreachedPasswordIsRefused(t *testing.T) {
	breached := manyPasswords()
	for _, lineBreak := range []string{"\n", "\r\n"} {
		file := filepath.Join(t.TempDir(), "pwned.txt")
		lines := breachedLines(breached...)
		for _, text := range []string{
			strings.Join(lines, lineBreak) + lineBreak,
			strings.Join(lines, lineBreak),
			strings.ToLower(strings.Join(lines, lineBreak)),
		} {
			mustWrite(t, file, text)
			r := mustOpenBreached(t, file)
			for _, p := range breached {
				if err := r.Check(p, Account{}); !errors.Is(err, ErrBreached) {
					t.Fatalf("%q: got %v, want ErrBreached", p, err)
				}
			}
			if err := r.Check("nobody ever used this one", Account{}); err != nil {
				t.Errorf("a password that is not on the list: %v", err)
			}
		}
	}
}

func TestBreachedPasswordIsFoundInRangeFiles(t *testing.T) {
	for _, ending := range []string{"", ".txt"} {
		folder := t.TempDir()
		empty := fmt.Sprintf("%X", sha1.Sum(nil))
		mustWrite(t, filepath.Join(folder, empty[:rangeDigits]+ending), "")
		for _, line := range breachedLines("this one was stolen", "nobody ever used this one") {
			mustWrite(t, filepath.Join(folder, line[:rangeDigits]+ending), line[rangeDigits:]+"\r\n")
		}
		r := mustOpenBreached(t, folder)
		if err := r.Check("this one was stolen", Account{}); !errors.Is(err, ErrBreached) {
			t.Errorf("got %v, want ErrBreached", err)
		}
		err := r.Check("this range has no file at all", Account{})
		if err == nil || errors.Is(err, ErrBreached) {
			t.Errorf("a missing range file: got %v, want the error of the missing file", err)
		}
	}
}

func TestListOfBreachedPasswordsThatIsNoneIsRefused(t *testing.T) {
	folder := t.TempDir()
	noList := filepath.Join(folder, "words.txt")
	mustWrite(t, noList, "password\nletmein\n")
	for _, path := range []string{noList, folder, filepath.Join(folder, "missing")} {
		if _, err := OpenBreachedList(path); err == nil {
			t.Errorf("%s: got no error", path)
		}
	}
}
