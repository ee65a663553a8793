package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestEverySettingIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if name := strings.Trim(cells[0], " `"); len(cells) == 4 && strings.HasPrefix(line, "| `") {
			if rows[name] != nil {
				t.Errorf("%s stands there twice", name)
			}
			rows[name] = cells
		}
	}
	for _, k := range keysOf(Default()) {
		cells := rows[k.path]
		if cells == nil {
			t.Errorf("%s is missing", k.path)
			continue
		}
		delete(rows, k.path)
		if want := "`" + k.envName() + "`"; cells[1] != want {
			t.Errorf("%s: environment is %s, want %s", k.path, cells[1], want)
		}
		// An empty default is told in words.
		written := strings.HasPrefix(cells[2], "`") && strings.HasSuffix(cells[2], "`")
		want := fmt.Sprintf("`%v`", k.yamlValue())
		if list, ok := k.yamlValue().([]string); ok && len(list) > 0 {
			want = "`" + strings.Join(list, "`, `") + "`"
		}
		if cells[2] != want && (written || !emptyDefault(k)) {
			t.Errorf("%s: default is %s, want %s", k.path, cells[2], want)
		}
		for _, value := range k.allowed {
			if !strings.Contains(strings.Join(cells[2:], " "), value) {
				t.Errorf("%s: value %s is not explained", k.path, value)
			}
		}
	}
	for name := range rows {
		t.Errorf("%s is no setting", name)
	}
}

func emptyDefault(k key) bool {
	return k.value.Kind() == reflect.Slice && k.value.Len() == 0 || k.value.Kind() == reflect.String && k.value.String() == ""
}
