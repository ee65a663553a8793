package password

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// BreachedList is a list of passwords that were published after break-ins, in one of the forms in which Have I Been
// Pwned publishes it: a file with a line HASH:COUNT for each password, ordered by hash, or a folder with a file for
// each range of hashes. A range file has the first five digits as its name, with or without .txt, and a line
// SUFFIX:COUNT for each password. The hashes are SHA-1, in hexadecimal.
//
// The list is read from disk at each check, since it is too large for memory. It is safe for concurrent use.
type BreachedList struct {
	path     string
	isFolder bool
}

// rangeDigits is how many digits of a hash name a range file.
const rangeDigits = 5

// sha1Digits is how many hexadecimal digits a SHA-1 hash has.
const sha1Digits = 2 * sha1.Size

// OpenBreachedList checks that path is such a list.
func OpenBreachedList(path string) (*BreachedList, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	list := &BreachedList{path: path, isFolder: info.IsDir()}
	if err := list.check(""); err != nil && !errors.Is(err, ErrBreached) {
		return nil, err
	}
	return list, nil
}

// check returns ErrBreached if the list has the password, and another error if the list cannot be read.
func (l *BreachedList) check(password string) error {
	if l == nil {
		return nil
	}
	sum := sha1.Sum([]byte(password))
	hash := strings.ToUpper(hex.EncodeToString(sum[:]))
	find := l.findInFile
	if l.isFolder {
		find = l.findInFolder
	}
	found, err := find(hash)
	if err != nil {
		return fmt.Errorf("read the list of breached passwords: %w", err)
	}
	if found {
		return ErrBreached
	}
	return nil
}

// findInFolder looks for a hash in the file of its range.
func (l *BreachedList) findInFolder(hash string) (bool, error) {
	name := filepath.Join(l.path, hash[:rangeDigits])
	file, err := os.Open(name + ".txt")
	if errors.Is(err, fs.ErrNotExist) {
		file, err = os.Open(name)
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		suffix, _, _ := strings.Cut(lines.Text(), ":")
		if strings.EqualFold(suffix, hash[rangeDigits:]) {
			return true, nil
		}
	}
	return false, lines.Err()
}

// findInFile looks for a hash by bisection. The bounds are offsets into the file; a line that begins between them may
// be the one.
func (l *BreachedList) findInFile(hash string) (bool, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	low := int64(0)
	high, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	for low < high {
		middle := low + (high-low)/2
		line, next, err := lineAfter(file, middle)
		if err != nil {
			return false, err
		}
		switch {
		case line == "" || line > hash:
			high = middle
		case line == hash:
			return true, nil
		default:
			low = next
		}
	}
	return false, nil
}

// lineAfter returns the hash of the first line that begins at an offset or after it, and the offset behind that line.
// At the end of the file the hash is empty.
func lineAfter(file io.ReaderAt, offset int64) (hash string, next int64, err error) {
	const longestLine = 128
	start := max(0, offset-1) // a line that begins at offset follows a line break
	piece := make([]byte, 2*longestLine)
	n, err := file.ReadAt(piece, start)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	piece = piece[:n]
	if offset > 0 {
		end := bytes.IndexByte(piece, '\n')
		if end < 0 {
			return "", 0, nil
		}
		piece, start = piece[end+1:], start+int64(end)+1
	}
	if len(piece) == 0 {
		return "", 0, nil
	}
	line, _, _ := bytes.Cut(piece, []byte("\n"))
	text, _, _ := strings.Cut(string(line), ":")
	text = strings.ToUpper(strings.TrimSpace(text))
	if _, err := hex.DecodeString(text); err != nil || len(text) != sha1Digits {
		return "", 0, fmt.Errorf("the line at byte %d does not begin with a SHA-1 hash in hexadecimal", start)
	}
	return text, start + int64(len(line)) + 1, nil
}
