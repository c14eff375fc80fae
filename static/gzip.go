package static

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Gzip compresses a file as far as it goes: it is done once, and sent often.
func Gzip(body []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compressing a file: %w", err)
	}
	if _, err := w.Write(body); err != nil {
		return nil, fmt.Errorf("compressing a file: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing a file: %w", err)
	}
	return buf.Bytes(), nil
}

// Serve answers with a file, in gzip for whoever can read that.
func Serve(w http.ResponseWriter, r *http.Request, body, zip []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if zip == nil || !AcceptsGzip(r) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
		return
	}
	h.Set("Content-Encoding", "gzip")
	h.Set("Content-Length", strconv.Itoa(len(zip)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(zip)
	}
}

// AcceptsGzip reports whether r names gzip among what it can read. It need not say
// so of a page that would do without.
func AcceptsGzip(r *http.Request) bool {
	for _, line := range r.Header["Accept-Encoding"] {
		for part := range strings.SplitSeq(line, ",") {
			name, quality, _ := strings.Cut(part, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			q, weighed := strings.CutPrefix(strings.TrimSpace(quality), "q=")
			weight, err := strconv.ParseFloat(q, 64)
			return !weighed || (err == nil && weight > 0)
		}
	}
	return false
}
