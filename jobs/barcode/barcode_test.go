package barcode_test

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"

	"giftcards/jobs/barcode"
)

// TestAPictureIsSmallAndHasItsQuietZone: it is white all around, so that a till reads it on a dark
// page.
func TestAPictureIsSmallAndHasItsQuietZone(t *testing.T) {
	t.Parallel()
	for symbology, quiet := range map[barcode.Symbology]int{barcode.QR: 24, barcode.Code128: 20} {
		picture, err := barcode.Draw(symbology, "0000000000000017")
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := png.Decode(bytes.NewReader(picture.PNG))
		if err != nil {
			t.Fatal(err)
		}
		if size := decoded.Bounds().Size(); size.X != picture.Width || size.Y != picture.Height || size.X > 300 {
			t.Errorf("%s: %v, said to be %d by %d", symbology, size, picture.Width, picture.Height)
		}
		black := 0
		for y := range picture.Height {
			for x := range picture.Width {
				r, _, _, _ := decoded.At(x, y).RGBA()
				if r > 0 {
					continue
				}
				black++
				if x < quiet || y < quiet || x >= picture.Width-quiet || y >= picture.Height-quiet {
					t.Fatalf("%s: %d, %d is black", symbology, x, y)
				}
			}
		}
		if black == 0 || len(picture.PNG) > 600 {
			t.Errorf("%s: %d black pixels in %d bytes", symbology, black, len(picture.PNG))
		}
	}
}

// TestEveryNumberHasACodeOfItsOwn, of the same size: zeros at the beginning count.
func TestEveryNumberHasACodeOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, symbology := range []barcode.Symbology{barcode.QR, barcode.Code128} {
		seen := map[string]string{}
		for _, number := range []string{"0000000000000000", "0000000000000017", "0000000000000170", "9000000000000017", "9999999999999999"} {
			code, err := barcode.New(symbology, number)
			if err != nil {
				t.Fatal(err)
			}
			var drawn strings.Builder
			for y := range code.Height {
				for x := range code.Width {
					drawn.WriteString(map[bool]string{true: "#", false: "."}[code.Black(x, y)])
				}
			}
			if other, ok := seen[drawn.String()]; ok {
				t.Errorf("%s: %s has the code of %s", symbology, number, other)
			}
			seen[drawn.String()] = number
			if symbology == barcode.QR && (code.Width != 21 || code.Height != 21) {
				t.Errorf("%s: %d by %d squares", number, code.Width, code.Height)
			}
		}
	}
}

// TestAQRCodeIsThatOfAnotherLibrary: its squares, its error correction and its mask are those of the
// standard.
func TestAQRCodeIsThatOfAnotherLibrary(t *testing.T) {
	t.Parallel()
	for i := range 200 {
		number := fmt.Sprintf("%016d", i*i*i*982_451_653)
		code, err := barcode.New(barcode.QR, number)
		if err != nil {
			t.Fatal(err)
		}
		other, err := qr.Encode(number, qr.H, qr.Numeric)
		if err != nil {
			t.Fatal(err)
		}
		differing := 0
		for y := range code.Height {
			for x := range code.Width {
				if code.Black(x, y) != (other.At(x, y) == color.Black) {
					differing++
				}
			}
		}
		if differing > 0 {
			t.Errorf("%s: %d squares differ", number, differing)
		}
	}
}

func TestOnlyDigitsAreDrawn(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"", strings.Repeat("1", 18), "9000 0000", "https://example.com", "９"} {
		if _, err := barcode.New(barcode.QR, number); err == nil {
			t.Errorf("%q has a code", number)
		}
	}
	if _, err := barcode.New("aztec", "1"); err == nil {
		t.Error("a symbology that there is not has a code")
	}
}

func BenchmarkDraw(b *testing.B) {
	for _, symbology := range []barcode.Symbology{barcode.QR, barcode.Code128} {
		b.Run(string(symbology), func(b *testing.B) {
			for i := 0; b.Loop(); i++ { // another number each time, because the last picture is kept
				if _, err := barcode.Draw(symbology, fmt.Sprintf("%016d", 9_000_000_000_000_000+i)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
