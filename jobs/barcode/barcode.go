// Package barcode draws the number of a card for the scanner of a till. The number is all that a
// code holds.
package barcode

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/boombuler/barcode/code128"
)

// Symbology is a kind of code that scanners read.
type Symbology string

// The symbologies. Every scanner with a camera reads a QR code; the beam of an older one reads
// only Code 128.
const (
	QR      Symbology = "qr"
	Code128 Symbology = "code128"
)

// Code is a drawn code: black and white squares, or stripes of one row. Around it must be the
// quiet zone, which has to stay white.
type Code struct {
	Width, Height int // of the squares, without the quiet zone
	Quiet         int // squares on each side
	black         []bool
}

// Black reports whether a square is black, from 0, 0 at the top left.
func (c Code) Black(x, y int) bool { return c.black[y*c.Width+x] }

// New returns the code of a number, which is digits only. Leading zeros stay. A QR code of a
// card's number has 21 by 21 squares, and is read if 30 % of it are damaged. It holds 17 digits at
// most.
func New(s Symbology, number string) (Code, error) {
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return Code{}, errors.New("barcode: want digits")
	}
	var c Code
	var err error
	switch s {
	case QR:
		c, err = qrCode(number)
		c.Quiet = 4 // squares around it (ISO/IEC 18004)
	case Code128:
		c, err = stripes(number)
		c.Quiet = 10 // of the narrowest stripe, on both sides (ISO/IEC 15417)
	default:
		err = fmt.Errorf("no symbology %q", s)
	}
	if err != nil {
		return Code{}, fmt.Errorf("barcode: %w", err)
	}
	return c, nil
}

// stripes returns the Code 128 of digits.
func stripes(digits string) (Code, error) {
	drawn, err := code128.Encode(digits)
	if err != nil {
		return Code{}, err
	}
	c := Code{Width: drawn.Bounds().Dx(), Height: 1}
	for x := range c.Width {
		c.black = append(c.black, drawn.At(x, 0) == color.Black) // the library's own colour
	}
	return c, nil
}

// Image is a picture of a code with its quiet zone.
type Image struct {
	PNG           []byte
	Width, Height int // in pixels, of which one is meant to be a pixel of CSS
}

const (
	qrPixels     = 6  // of a square, so that a telephone shows the code about as large as a thumb
	stripePixels = 2  // of the narrowest stripe, so that the code is narrower than a telephone
	stripeHeight = 80 // of a code of stripes
)

// Draw returns the picture of a number. Its few hundred bytes have one bit for each pixel. It
// keeps the last one, because a start tries an operator's templates many times with one number.
func Draw(s Symbology, number string) (Image, error) {
	if kept := last.Load(); kept != nil && kept.symbology == s && kept.number == number {
		return kept.image, nil
	}
	drawn, err := draw(s, number)
	if err == nil {
		last.Store(&keptImage{s, number, drawn})
	}
	return drawn, err
}

// keptImage is an image with what it is of. Nobody changes its bytes.
type keptImage struct {
	symbology Symbology
	number    string
	image     Image
}

var last atomic.Pointer[keptImage]

func draw(s Symbology, number string) (Image, error) {
	c, err := New(s, number)
	if err != nil {
		return Image{}, err
	}
	pixels, height := qrPixels, qrPixels
	if s == Code128 {
		pixels, height = stripePixels, stripeHeight
	}
	width, high := (c.Width+2*c.Quiet)*pixels, c.Height*height+2*c.Quiet*pixels
	// White is first, because a new picture is all zeros. Two colours make a PNG of one bit a pixel.
	picture := image.NewPaletted(image.Rect(0, 0, width, high), color.Palette{color.White, color.Black})
	for y := range c.Height {
		rows := picture.Pix[(y*height+c.Quiet*pixels)*picture.Stride:]
		for x := range c.Width {
			for pixel := range pixels {
				if c.Black(x, y) {
					rows[(x+c.Quiet)*pixels+pixel] = 1
				}
			}
		}
		for i := 1; i < height; i++ {
			copy(rows[i*picture.Stride:], rows[:picture.Stride])
		}
	}
	var encoded bytes.Buffer
	if err := encoder.Encode(&encoded, picture); err != nil {
		return Image{}, fmt.Errorf("barcode: %w", err)
	}
	return Image{PNG: encoded.Bytes(), Width: width, Height: high}, nil
}

// encoder keeps the compressor of one picture for the next, because making one costs more than
// the picture.
var encoder = png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: &buffers{}}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() *png.EncoderBuffer {
	buffer, _ := b.pool.Get().(*png.EncoderBuffer) // nil: the encoder makes one
	return buffer
}

func (b *buffers) Put(buffer *png.EncoderBuffer) { b.pool.Put(buffer) }
