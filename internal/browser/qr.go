package browser

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// DecodeQR returns the text of the one QR code in a picture, as decoders that are
// not ours read it: zbarimg and gozxing. It ends the test if none can read it or
// they disagree; that one alone cannot, as happens to each with pictures that the
// other reads, is said. Where there is no zbarimg it says so and trusts gozxing,
// or, where CI is set, fails.
func DecodeQR(t Reporter, picture []byte) string {
	t.Helper()
	text, err := decodePNG(picture)
	program, missing := exec.LookPath("zbarimg")
	switch {
	case missing != nil && inCI():
		t.Fatalf("browser: zbarimg is missing; %s", remedy)
	case missing != nil:
		t.Logf("SKIPPED the second QR decoder: zbarimg is missing; %s", remedy)
		if err != nil {
			t.Fatalf("browser: %v", err)
		}
		return text
	}
	second, err2 := decodeZBar(t, program, picture)
	switch {
	case err != nil && err2 != nil:
		t.Fatalf("browser: %v; %v", err, err2)
	case err != nil:
		t.Logf("browser: zbarimg alone reads the code: %v", err)
		return second
	case err2 != nil:
		t.Logf("browser: gozxing alone reads the code: %v", err2)
		return text
	case second != text:
		t.Fatalf("browser: gozxing reads %q in the code, zbarimg %q", text, second)
	}
	return text
}

// FindQR returns the text of the QR code in a picture, as any of the decoders
// reads it; found is false if none finds one.
func FindQR(t Reporter, picture []byte) (text string, found bool) {
	t.Helper()
	if text, err := decodePNG(picture); err == nil {
		return text, true
	}
	program, err := exec.LookPath("zbarimg")
	if err != nil {
		if inCI() {
			t.Fatalf("browser: zbarimg is missing; %s", remedy)
		}
		return "", false
	}
	text, err = decodeZBar(t, program, picture)
	return text, err == nil
}

func decodePNG(picture []byte) (string, error) {
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return "", fmt.Errorf("decoding a picture of %d bytes: %w", len(picture), err)
	}
	return DecodeZXing(img)
}

// DecodeZXing is what gozxing reads in a picture. It tries both of its ways to tell
// dark from light.
func DecodeZXing(img image.Image) (string, error) {
	source := gozxing.NewLuminanceSourceFromImage(img)
	hints := make(map[gozxing.DecodeHintType]any)
	hints[gozxing.DecodeHintType_TRY_HARDER] = true
	var last error
	for _, binarizer := range []gozxing.Binarizer{gozxing.NewHybridBinarizer(source), gozxing.NewGlobalHistgramBinarizer(source)} {
		bitmap, err := gozxing.NewBinaryBitmap(binarizer)
		if err != nil {
			return "", fmt.Errorf("reading a picture of %s: %w", img.Bounds().Size(), err)
		}
		result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints)
		if err == nil {
			return result.GetText(), nil
		}
		last = err
	}
	return "", fmt.Errorf("reading a QR code with gozxing in a picture of %s: %w", img.Bounds().Size(), last)
}

func decodeZBar(t Reporter, program string, picture []byte) (string, error) {
	dir, err := os.MkdirTemp("", "handoff-qr-")
	if err != nil {
		return "", fmt.Errorf("making a folder for a picture: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // temporary: the system clears it otherwise
	path := filepath.Join(dir, "code.png")
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		return "", fmt.Errorf("writing a picture: %w", err)
	}
	return DecodeZBar(t, program, path)
}

// DecodeZBar is what zbarimg reads in a file.
func DecodeZBar(t Reporter, program, path string) (string, error) {
	cmd := exec.CommandContext(t.Context(), program, //nolint:gosec // found by its fixed name
		"--quiet", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable", path)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("reading a QR code with zbarimg: %w", err)
	}
	codes := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(codes) != 1 {
		return "", errors.New("zbarimg found more than one QR code")
	}
	return codes[0], nil
}
