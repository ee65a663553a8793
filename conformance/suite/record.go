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

// Record has the results of one run for a file. Runs that were executed one by one can be evaluated together.
type Record struct {
	Suite   string // the version of the suite
	Command string
	Results []Result
}

// Save writes the record into dir. It replaces an earlier record of the run.
func (rec Record) Save(dir string, run Run) error {
	text, err := json.MarshalIndent(rec, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(recordFile(dir, run), text, 0o600)
}

// ReadRecords reads the records of runs from dir, in the order of runs. missing are the runs without a record.
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

// Merge returns all results of the records, and each version and command once.
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
