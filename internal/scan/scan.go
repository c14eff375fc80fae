// Package scan tries whether QR codes can be read: it spoils pictures of them as
// cameras and screens do, and has decoders read them that are not ours and know
// nothing of each other.
//
// It is for tests: docs/scannability.md is written by TestScannability in package
// web, from what is found here.
package scan

import (
	"bufio"
	"context"
	_ "embed" // the script that runs npm's decoders
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/handoff-portal/handoff/internal/browser"
)

// Readers are the decoders: zbar, gozxing (ZXing in Go), zxing-cpp, jsQR and
// paulmillr/qr. It is for one goroutine.
type Readers struct {
	t        browser.Reporter
	names    []string
	versions map[string]string
	zbar     string // the program's path
	dir      string // for pictures that it reads
	to       io.Writer
	from     *bufio.Reader
}

//go:embed decoders.mjs
var script []byte

// Names of the decoders that are not npm's.
const (
	zbar    = "zbar"
	gozxing = "gozxing"
)

// Open starts the decoders, which end with the test. Without one of them the test is
// skipped and says so, or, where CI is set, fails.
func Open(t browser.Reporter) *Readers {
	t.Helper()
	modules := browser.Modules(t, "npm")
	r := &Readers{t: t, names: []string{zbar, gozxing, "zxing-cpp", "jsQR", "paulmillr-qr"}, zbar: browser.Program(t, "zbarimg")}
	dir, err := os.MkdirTemp("", "handoff-scan-")
	if err != nil {
		t.Fatalf("scan: making a folder for pictures: %v", err)
	}
	r.dir = dir
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // temporary: the system clears it otherwise
	if err := r.start(browser.Program(t, "node"), modules); err != nil {
		t.Fatalf("scan: %v", err)
	}
	return r
}

// start runs npm's decoders in one process.
func (r *Readers) start(node, modules string) error {
	path := r.dir + "/decoders.mjs"
	if err := os.WriteFile(path, script, 0o600); err != nil {
		return fmt.Errorf("writing the decoders' script: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(r.t.Context()), node, path, modules) //nolint:gosec // found by its fixed name; it ends below
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("starting the decoders: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("starting the decoders: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the decoders: %w", err)
	}
	r.t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // its work is done
	})
	r.to, r.from = in, bufio.NewReader(out)
	if err := r.answer(&r.versions); err != nil {
		return err
	}
	module, err := exec.CommandContext(r.t.Context(), "go", "list", "-m", "-f", "{{.Version}}", "github.com/makiuchi-d/gozxing").Output()
	if err != nil {
		return fmt.Errorf("asking Go for gozxing's version: %w", err)
	}
	r.versions[gozxing] = gozxing + " " + strings.TrimSpace(string(module))
	version, err := exec.CommandContext(r.t.Context(), r.zbar, "--version").Output() //nolint:gosec // found by its fixed name
	if err != nil {
		return fmt.Errorf("asking zbarimg for its version: %w", err)
	}
	r.versions[zbar] = "zbarimg " + strings.TrimSpace(string(version))
	return nil
}

func (r *Readers) answer(to any) error {
	line, err := r.from.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("hearing from the decoders: %w", err)
	}
	return json.Unmarshal(line, to)
}

// Names are the decoders in the order of every table.
func (r *Readers) Names() []string { return r.names }

// Version is a decoder's, with the name of what it comes in.
func (r *Readers) Version(name string) string { return r.versions[name] }

// Read is what each decoder reads in a picture. Who reads nothing is not in it.
func (r *Readers) Read(picture *image.Gray) map[string]string {
	r.t.Helper()
	size := picture.Bounds().Size()
	request := binary.LittleEndian.AppendUint32(nil, uint32(size.X))    //nolint:gosec // G115: a picture's width
	request = binary.LittleEndian.AppendUint32(request, uint32(size.Y)) //nolint:gosec // G115: its height
	plain := packed(picture)
	sent := make(chan error, 1)
	go func() { // the decoders may answer before they have read all
		_, err := r.to.Write(append(request, plain...))
		sent <- err
	}()
	read := make(map[string]string)
	if text, err := browser.DecodeZXing(picture); err == nil {
		read[gozxing] = text
	}
	if text, err := r.zbarReads(size, plain); err == nil {
		read[zbar] = text
	}
	if err := <-sent; err != nil {
		r.t.Fatalf("scan: asking the decoders: %v", err)
	}
	var others map[string]*string
	if err := r.answer(&others); err != nil {
		r.t.Fatalf("scan: %v", err)
	}
	for name, text := range others {
		if text != nil {
			read[name] = *text
		}
	}
	return read
}

// zbarReads writes a PGM, which needs no compression and no time.
func (r *Readers) zbarReads(size image.Point, grey []byte) (string, error) {
	path := r.dir + "/picture.pgm"
	header := fmt.Appendf(nil, "P5 %d %d 255\n", size.X, size.Y)
	if err := os.WriteFile(path, append(header, grey...), 0o600); err != nil {
		return "", fmt.Errorf("writing a picture: %w", err)
	}
	return browser.DecodeZBar(r.t, r.zbar, path)
}

// packed are the pixels of a picture, row by row and nothing between.
func packed(picture *image.Gray) []byte {
	size := picture.Bounds().Size()
	out := make([]byte, 0, size.X*size.Y)
	for y := range size.Y {
		out = append(out, picture.Pix[y*picture.Stride:][:size.X]...)
	}
	return out
}
