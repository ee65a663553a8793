package templates

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"sync"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed locales
var localeFiles embed.FS

// defaultLanguage is the language that every text exists in.
const defaultLanguage = "en"

// catalog has all texts of all pages in all languages; each language is one file in locales. go-i18n chooses the plural
// form, and the English text if the language does not have the text.
type catalog struct {
	locales map[string]*locale // by BCP 47 tag
	tags    []language.Tag     // English first
	matcher language.Matcher
}

// locale is one language: its texts, its numbers and its pages.
type locale struct {
	tag       string
	localizer *i18n.Localizer
	printer   *message.Printer
	patterns  sync.Map // of texts without a plural form, by name: pattern
	pages     func() map[string]*template.Template
}

// texts returns the catalog. It loads the catalog for the first page, so commands that show no page do not load it.
var texts = sync.OnceValue(func() *catalog { return mustLoadCatalog(localeFiles) })

// mustLoadCatalog reads the language files of a folder named locales. The files are part of the program, so a broken
// one panics.
func mustLoadCatalog(files fs.FS) *catalog {
	bundle := i18n.NewBundle(language.MustParse(defaultLanguage))
	bundle.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	names, err := fs.Glob(files, "locales/*.yaml")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		if _, err := bundle.LoadMessageFileFS(files, name); err != nil {
			panic(fmt.Errorf("load %s: %w", name, err))
		}
	}
	c := &catalog{locales: map[string]*locale{}, tags: bundle.LanguageTags()}
	c.matcher = language.NewMatcher(c.tags)
	for _, tag := range c.tags {
		l := &locale{
			tag:       tag.String(),
			localizer: i18n.NewLocalizer(bundle, tag.String()),
			printer:   message.NewPrinter(tag),
		}
		l.pages = sync.OnceValue(l.parsePages)
		c.locales[l.tag] = l
	}
	return c
}

// locale returns the language with a tag, or English if there is no such language.
func (c *catalog) locale(tag string) *locale {
	if l := c.locales[tag]; l != nil {
		return l
	}
	return c.locales[defaultLanguage]
}

// Language is a language of the catalog.
type Language struct {
	Tag  string // BCP 47
	Name string // in the language itself
}

// LanguageLink leads to the same page in another language.
type LanguageLink struct {
	Language
	URL     string
	Current bool // the page is in this language
}

// Languages returns the languages of the catalog, English first.
func Languages() []Language {
	var all []Language
	for _, tag := range texts().tags {
		l := texts().locale(tag.String())
		all = append(all, Language{l.tag, l.text("language.name").String()})
	}
	return all
}

// HasLanguage reports whether the catalog has the language with this tag.
func HasLanguage(tag string) bool { return texts().locales[tag] != nil }

// MatchLanguage returns the tag of the language of the catalog that fits the wanted languages best: BCP 47 tags in the
// order of preference, or the value of an Accept-Language header (RFC 9110 §12.5.4). If none fits, it returns English
// and false.
func MatchLanguage(wanted ...string) (tag string, ok bool) { return texts().match(wanted...) }

func (c *catalog) match(wanted ...string) (tag string, ok bool) {
	if len(c.tags) == 1 && len(wanted) == 1 && wanted[0] == "" {
		return defaultLanguage, false
	}
	var tags []language.Tag
	for _, text := range wanted {
		parsed, _, err := language.ParseAcceptLanguage(text)
		if err == nil {
			tags = append(tags, parsed...)
		}
	}
	_, index, confidence := c.matcher.Match(tags...)
	return c.tags[index].String(), confidence != language.No
}
