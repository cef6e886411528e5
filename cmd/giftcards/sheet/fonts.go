package sheet

import (
	"bytes"
	"errors"
	"io/fs"
	"log" //nolint:depguard // the finder of fonts takes no other logger
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/fontscan"
	"golang.org/x/image/font/gofont/goregular"
)

// Fonts are where the glyphs of names come from. The program's own font has the Latin, Greek and
// Cyrillic letters. For other letters it looks into font files, and keeps the files that have them.
type Fonts struct {
	faces []*font.Face
	files []string // that nobody has looked into yet, the likeliest first
	runes map[rune]*font.Face
}

// LoadFonts returns the fonts of a directory or, if it is "", of this machine. It fails if there
// is no such directory.
func LoadFonts(dir string) (*Fonts, error) {
	goRegular, err := font.ParseTTF(bytes.NewReader(goregular.TTF))
	if err != nil {
		return nil, err
	}
	f := &Fonts{faces: []*font.Face{goRegular}, runes: map[rune]*font.Face{}}
	dirs := []string{dir}
	if dir == "" {
		// A machine without fonts has no directory, which is no fault.
		dirs, _ = fontscan.DefaultFontDirectories(log.New(quiet{}, "", 0))
	} else if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() && slices.Contains([]string{".ttf", ".otf", ".ttc", ".otc"}, strings.ToLower(filepath.Ext(path))) {
				f.files = append(f.files, path)
			}
			return nil // what cannot be read has no font
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(f.files, func(a, b string) int { return oddity(a) - oddity(b) })
	return f, nil
}

type quiet struct{}

func (quiet) Write(p []byte) (int, error) { return len(p), nil }

// oddity is 0 for a plain font, and greater the less a name should look like that.
func oddity(path string) (odd int) {
	name := strings.ToLower(filepath.Base(path))
	for _, kind := range []string{"bold", "italic", "oblique", "mono", "condensed", "narrow", "math", "light", "thin", "black", "serif"} {
		if strings.Contains(name, kind) {
			odd += 2
		}
	}
	if !strings.Contains(name, "sans") {
		odd++
	}
	return odd
}

// ResolveFace returns a face that has a glyph for a character, or the program's own if none has.
func (f *Fonts) ResolveFace(r rune) *font.Face {
	if face, known := f.runes[r]; known {
		return face
	}
	face := f.find(r)
	if face == nil {
		face = f.faces[0]
	}
	f.runes[r] = face
	return face
}

// Has reports whether a font has a glyph for a character.
func (f *Fonts) Has(r rune) bool { return draws(f.ResolveFace(r), r) }

func (f *Fonts) find(r rune) *font.Face {
	for _, face := range f.faces {
		if draws(face, r) {
			return face
		}
	}
	// A file without the character is read again for the next one that nobody has. That is rare,
	// and to keep all fonts of a machine would need gigabytes.
	for _, path := range f.files {
		for _, face := range facesOf(path) {
			if draws(face, r) {
				f.faces = append(f.faces, face)
				return face
			}
		}
	}
	return nil
}

// draws reports whether a face has an outline for a character. A picture, as many emoji are, is none.
func draws(face *font.Face, r rune) bool {
	glyph, ok := face.NominalGlyph(r)
	if !ok {
		return false
	}
	_, ok = face.GlyphDataOutline(glyph)
	return ok
}

func facesOf(path string) []*font.Face {
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	faces, err := font.ParseTTC(bytes.NewReader(content))
	if err != nil { // no font, or one that is damaged
		return nil
	}
	return faces
}
