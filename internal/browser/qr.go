package browser

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// DecodeQR returns the text of the one QR code in a picture, as two unrelated
// decoders read it: gozxing and zbarimg. It ends the test if either cannot read
// it or they disagree. Where there is no zbarimg it says so and trusts gozxing,
// or, where CI is set, fails.
func DecodeQR(t Reporter, picture []byte) string {
	t.Helper()
	text, err := decodeZXing(picture)
	if err != nil {
		t.Fatalf("browser: %v", err)
	}
	program, err := exec.LookPath("zbarimg")
	if err != nil {
		if inCI() {
			t.Fatalf("browser: zbarimg is missing; %s", remedy)
		}
		t.Logf("SKIPPED the second QR decoder: zbarimg is missing; %s", remedy)
		return text
	}
	second, err := decodeZBar(t, program, picture)
	if err != nil {
		t.Fatalf("browser: %v", err)
	}
	if second != text {
		t.Fatalf("browser: gozxing reads %q in the code, zbarimg %q", text, second)
	}
	return text
}

func decodeZXing(picture []byte) (string, error) {
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return "", fmt.Errorf("decoding a picture of %d bytes: %w", len(picture), err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		return "", fmt.Errorf("reading a picture of %s: %w", img.Bounds().Size(), err)
	}
	hints := make(map[gozxing.DecodeHintType]any)
	hints[gozxing.DecodeHintType_TRY_HARDER] = true
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints)
	if err != nil {
		return "", fmt.Errorf("reading a QR code with gozxing in a picture of %s: %w", img.Bounds().Size(), err)
	}
	return result.GetText(), nil
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
