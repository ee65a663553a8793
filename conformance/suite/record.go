package suite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Record is one run's results as they are kept in a file, so that many runs, made one by one, can be judged together.
type Record struct {
	Suite   string // its version
	Command string
	Results []Result
}

// Save writes the record into dir, in the place of an earlier one of that run.
func (rec Record) Save(dir string, run Run) error {
	text, err := json.MarshalIndent(rec, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(recordFile(dir, run), text, 0o600)
}

// ReadRecords reads what runs left in dir, in the order of runs. It says which of them left nothing.
func ReadRecords(dir string, runs []Run) (found []Record, missing []Run, err error) {
	for _, run := range runs {
		text, err := os.ReadFile(recordFile(dir, run))
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, run)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		var rec Record
		if err := json.Unmarshal(text, &rec); err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", recordFile(dir, run), err)
		}
		found = append(found, rec)
	}
	return found, missing, nil
}

// Merge sums up records: all results, and each version and command once.
func Merge(records []Record) (results []Result, versions, commands []string) {
	for _, rec := range records {
		results = append(results, rec.Results...)
		if !slices.Contains(versions, rec.Suite) {
			versions = append(versions, rec.Suite)
		}
		if !slices.Contains(commands, rec.Command) {
			commands = append(commands, rec.Command)
		}
	}
	return results, versions, commands
}

func recordFile(dir string, run Run) string { return filepath.Join(dir, fileName(run)+".json") }
