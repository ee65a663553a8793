package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Load reads the configuration file, unless its name is empty, and then environ, which wins over the file. environ has
// the form of os.Environ. The error is of type [Problems] and has all problems.
func Load(file string, environ []string) (*Config, error) {
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, Problems{{Where: file, Text: err.Error()}}
	}
	c := Default()
	c.file = file
	c.origins = map[string]origin{}
	l := &loader{config: c, settings: settingsOf(c), file: file, folder: folder}
	if file != "" {
		l.readFile()
	}
	l.readEnvironment(environ)
	c.setDerivedDefaults()
	l.check()
	if len(l.problems) > 0 {
		return nil, l.problems.sortByLine()
	}
	return c, nil
}

// loader fills one Config and collects its problems.
type loader struct {
	config         *Config
	settings       []setting
	file           string
	folder         string // of the file; its relative paths start here
	fileUnreadable bool   // the file may have any setting, so none is reported as missing
	problems       Problems
}

func (l *loader) addProblem(o origin, key, format string, args ...any) {
	l.problems = append(
		l.problems,
		Problem{Where: o.String(), Key: key, Text: fmt.Sprintf(format, args...), line: o.line},
	)
}

func (l *loader) lineOrigin(line int) origin { return origin{name: l.file, line: line} }

func (l *loader) readFile() {
	text, err := os.ReadFile(l.file)
	if err != nil {
		l.fileUnreadable = true
		l.addProblem(origin{name: l.file}, "", "%v", withoutPath(err))
		return
	}
	var root, second yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(text))
	switch err := documents.Decode(&root); {
	case errors.Is(err, io.EOF):
		return // an empty file: the environment may give everything
	case err != nil:
		l.addSyntaxProblem(err)
		return
	}
	if err := documents.Decode(&second); !errors.Is(err, io.EOF) {
		l.addProblem(l.lineOrigin(second.Line), "", "a second YAML document starts here; a file has one")
	}
	l.readMapping("", resolveAlias(root.Content[0]))
}

// syntaxLine matches the beginning of an error of package yaml that has a line number.
var syntaxLine = regexp.MustCompile(`^yaml: line (\d+): `)

func (l *loader) addSyntaxProblem(err error) {
	l.fileUnreadable = true
	text := err.Error()
	line := 0
	if match := syntaxLine.FindStringSubmatch(text); match != nil {
		line, _ = strconv.Atoi(match[1])
		text = text[len(match[0]):]
	}
	l.addProblem(l.lineOrigin(line), "", "not YAML: %s", strings.TrimPrefix(text, "yaml: "))
}

// readMapping reads the keys under prefix. A group may be nested or written with a dot: `session: {idle: 1h}` and
// `session.idle: 1h` give the same key.
func (l *loader) readMapping(prefix string, node *yaml.Node) {
	if node.Tag == "!!null" {
		return
	}
	if node.Kind != yaml.MappingNode {
		l.fileUnreadable = l.fileUnreadable || prefix == ""
		l.addProblem(l.lineOrigin(node.Line), strings.TrimSuffix(prefix, "."), "must be a mapping of keys to values")
		return
	}
	for i := 0; i < len(node.Content); i += 2 { // keys and values alternate
		name := node.Content[i]
		value := resolveAlias(node.Content[i+1])
		path := prefix + name.Value
		index := slices.IndexFunc(l.settings, func(s setting) bool { return s.path == path })
		isGroup := slices.ContainsFunc(l.settings, func(s setting) bool {
			return strings.HasPrefix(s.path, path+".")
		})
		switch {
		case index >= 0:
			l.readValue(l.settings[index], name.Line, value)
		case isGroup:
			l.readMapping(path+".", value)
		default:
			l.addProblem(l.lineOrigin(name.Line), path, "unknown key%s", l.suggest(prefix, path))
		}
	}
}

func (l *loader) readValue(s setting, line int, value *yaml.Node) {
	if previous, duplicate := l.config.origins[s.path]; duplicate {
		l.addProblem(l.lineOrigin(line), s.path, "given twice; line %d gives it already", previous.line)
		return
	}
	if value.Tag == "!!null" {
		return
	}
	l.config.origins[s.path] = l.lineOrigin(line)
	texts, err := scalarValues(s, value)
	if err == nil && len(texts) == 0 {
		return
	}
	if err == nil {
		err = s.set(texts, l.folder)
	}
	if err != nil {
		l.addProblem(l.lineOrigin(line), s.path, "%v", err)
	}
}

// scalarValues returns the texts of a YAML value: one text, or one for each element of a list. A mapping becomes JSON,
// as in the environment.
func scalarValues(s setting, value *yaml.Node) ([]string, error) {
	switch {
	case value.Kind == yaml.ScalarNode:
		return []string{value.Value}, nil
	case value.Kind == yaml.SequenceNode && s.isList():
		texts := make([]string, len(value.Content))
		for i, item := range value.Content {
			item = resolveAlias(item)
			if item.Kind != yaml.ScalarNode {
				return nil, errors.New("must be a list of plain values")
			}
			texts[i] = item.Value
		}
		return texts, nil
	case value.Kind == yaml.MappingNode && !s.isList():
		var object map[string]any
		if err := value.Decode(&object); err != nil {
			return nil, err
		}
		text, err := json.Marshal(object)
		return []string{string(text)}, err
	}
	return nil, errors.New("must be one value")
}

// suggest returns "; did you mean KEY?" for an unknown key. KEY is a similar key, or the same name in another group. It
// returns "" if there is none.
func (l *loader) suggest(prefix, path string) string {
	paths := make([]string, 0, 2*len(l.settings))
	for _, s := range l.settings {
		paths = append(paths, s.path)
		name, hasPrefix := strings.CutPrefix(s.path, prefix)
		group, _, isNested := strings.Cut(name, ".")
		if hasPrefix && isNested {
			paths = append(paths, prefix+group)
		}
	}
	if suggestion := nearest(path, paths); suggestion != "" {
		return "; did you mean " + suggestion + "?"
	}
	for _, p := range paths {
		if strings.HasSuffix(p, "."+strings.TrimPrefix(path, prefix)) {
			return "; did you mean " + p + "?"
		}
	}
	return ""
}

// readEnvironment reads the variables that begin with CURFEW_. Instead of a variable NAME there may be NAME_FILE with
// the path of a file, which has the value. So a secret need not be in the environment.
func (l *loader) readEnvironment(environ []string) {
	values := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "CURFEW_") && value != "" {
			values[name] = value
		}
	}
	known := []string{"CURFEW_CONFIG"}
	for _, s := range l.settings {
		known = append(known, s.envName())
	}
	for _, s := range l.settings {
		name := s.envName()
		fileName := name + "_FILE"
		value, given := values[name]
		file, fileGiven := values[fileName]
		if slices.Contains(known, fileName) {
			fileGiven = false // a setting of that name, such as key_file
		}
		delete(values, name)
		if fileGiven {
			delete(values, fileName)
		}
		switch {
		case given && fileGiven:
			l.addProblem(origin{name: fileName}, "", "given together with %s; give one of them", name)
		case fileGiven:
			l.readVariableFile(s, fileName, file)
		case given:
			l.readVariable(s, name, value)
		}
	}
	delete(values, "CURFEW_CONFIG")
	l.checkUnknownVariables(values, known)
}

func (l *loader) readVariableFile(s setting, name, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		l.addProblem(origin{name: name}, "", "%s: %v", file, withoutPath(err))
		return
	}
	l.readVariable(s, name, strings.TrimSpace(string(text)))
}

// maxMisspelling is how many letters a misspelt name may differ from a known one.
const maxMisspelling = 3

// checkUnknownVariables adds a problem for each variable whose name looks like a misspelt known one. Other unknown
// variables are allowed: they may belong to another program.
func (l *loader) checkUnknownVariables(unknown map[string]string, known []string) {
	for name := range unknown {
		if kubernetesVariable.MatchString(name) {
			continue
		}
		suggestion := nearest(name, known)
		if suggestion != "" && editDistance(name, suggestion) <= maxMisspelling {
			l.addProblem(origin{name: name}, "", "unknown variable; did you mean %s?", suggestion)
		}
	}
}

// kubernetesVariable matches the names of the variables that Kubernetes sets in every pod for each Service of its
// namespace, such as one called curfew or curfew-tls.
var kubernetesVariable = regexp.MustCompile(
	`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`,
)

func (l *loader) readVariable(s setting, name, value string) {
	texts := []string{value}
	if s.isList() {
		texts = strings.Split(value, ",")
		for i := range texts {
			texts[i] = strings.TrimSpace(texts[i])
		}
	}
	fromFile := name != s.envName()
	l.config.origins[s.path] = origin{name: name, hidden: fromFile}
	folder, err := os.Getwd()
	if err == nil {
		err = s.set(texts, folder)
	}
	if err != nil {
		l.addProblem(origin{name: name}, "", "%v", err)
	}
}

func resolveAlias(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// withoutPath removes the path from an I/O error: the problem already names the file.
func withoutPath(err error) error {
	if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
