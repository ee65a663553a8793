//go:build unix

package filemode

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestModesThatKubernetesAndDockerDictateAreAccepted: what the operator can tighten is refused, what the platform
// sets is not.
func TestModesThatKubernetesAndDockerDictateAreAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		folder, file fs.FileMode
		refuseFolder bool
		refuseFile   bool
	}{
		"own folder and key":                       {folder: 0o700, file: 0o600},
		"volume under fsGroup at the second start": {folder: fs.ModeSetgid | 0o770, file: 0o660},
		"secret under fsGroup":                     {folder: fs.ModeSetgid | 0o750, file: 0o440},
		"group access by mistake":                  {folder: 0o770, file: 0o640, refuseFolder: true, refuseFile: true},
		"all users may read the key":               {folder: 0o755, file: 0o644, refuseFile: true},
		"all users may write":                      {folder: 0o777, file: 0o666, refuseFolder: true, refuseFile: true},
		"all users, though under fsGroup": {
			folder:       fs.ModeSetgid | 0o777,
			file:         0o664,
			refuseFolder: true,
			refuseFile:   true,
		},
	} {
		folder := filepath.Join(t.TempDir(), "data")
		file := filepath.Join(folder, "curfew.key")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("key"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, c.file); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(folder, c.folder); err != nil {
			t.Fatal(err)
		}
		fileInfo, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		folderInfo, err := os.Stat(folder)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckSecret(file, fileInfo); (err != nil) != c.refuseFile {
			t.Errorf("%s: key: got %v, want refused %v", name, err, c.refuseFile)
		}
		if err := CheckFolder(folder, folderInfo); (err != nil) != c.refuseFolder {
			t.Errorf("%s: folder: got %v, want refused %v", name, err, c.refuseFolder)
		}
	}
}
