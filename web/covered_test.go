package web_test

import (
	"net/http"
	"testing"
)

// TestCoveredCode: while a phone is connected there is no code to fetch, and a
// script that asks a moment late is told so without an error.
func TestCoveredCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	for path, want := range map[string]int{"/qr.svg": http.StatusNoContent, "/qr.png": http.StatusConflict} {
		if a := s.desk.get(s.made.DisplayURL + path); a.StatusCode != want || len(a.body) > 0 && want == http.StatusNoContent {
			t.Errorf("GET %s while connected = %d %q, want %d", path, a.StatusCode, a.body, want)
		}
	}
}
