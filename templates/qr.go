package templates

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// QRCode is a QR code as one SVG path of squares, with the quiet zone around them.
type QRCode struct {
	Size int // of the view box
	Path string
}

// quietZone is how many light squares a reader needs around a code (ISO/IEC 18004).
const quietZone = 4

// newQRCode encodes a text.
func newQRCode(text string) (QRCode, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return QRCode{}, fmt.Errorf("encode QR code: %w", err)
	}
	size := code.Bounds().Dx()
	var path strings.Builder
	for y := range size {
		for x := range size {
			if gray, ok := color.GrayModel.Convert(code.At(x, y)).(color.Gray); ok && gray.Y < 128 {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quietZone, y+quietZone)
			}
		}
	}
	return QRCode{Size: size + 2*quietZone, Path: path.String()}, nil
}
