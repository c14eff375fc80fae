package phone_test

import (
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/phone"
)

func TestParseSource(t *testing.T) {
	const portalURL = "https://portal.example/any"
	tests := []struct {
		text string
		want phone.Source
	}{
		{"https://go.example/c/acme/abc.1.x", phone.Source{Portal: "https://go.example", Partner: "acme", Code: "https://go.example/c/acme/abc.1.x"}},
		{"  http://127.0.0.1:8080/c/acme/abc\n", phone.Source{Portal: "http://127.0.0.1:8080", Partner: "acme", Code: "http://127.0.0.1:8080/c/acme/abc"}},
		{"http://192.168.1.7:8080/a/acme/pick", phone.Source{Portal: "http://192.168.1.7:8080", Partner: "acme", Pickup: "pick"}},
		{"https://go.example/a/acme/connect#token=abcdefgh", phone.Source{Portal: "https://go.example", Partner: "acme", Connect: "abcdefgh"}},
		{"intent://go.example/c/acme/abc#Intent;scheme=https;package=com.acme;end", phone.Source{Portal: "https://go.example", Partner: "acme", Code: "https://go.example/c/acme/abc"}},
		{"https://app.example/handoff?pickup=pick", phone.Source{Portal: "https://portal.example", Partner: "acme", Pickup: "pick"}},
		{"123-456 7890", phone.Source{Portal: "https://portal.example", Partner: "acme", Code: "1234567890"}},
		{"abcdefgh", phone.Source{Connect: "abcdefgh"}},
	}
	for _, tt := range tests {
		got, err := phone.ParseSource(tt.text, portalURL, "acme")
		if err != nil || got != tt.want {
			t.Errorf("ParseSource(%q) = %q, %v, want %q", tt.text, reveal(got), err, reveal(tt.want))
		}
	}
}

func reveal(s phone.Source) []string {
	return []string{s.Portal, s.Partner, s.Code.Reveal(), s.Pickup.Reveal(), s.Connect.Reveal()}
}

func TestParseSourceRefuses(t *testing.T) {
	tests := []struct{ text, portal, partner, says string }{
		{"1234567890", "", "acme", "--portal"},
		{"1234567890", "https://go.example", "", "--partner"},
		{"http://go.example/c/acme/secretcode", "", "", "plain http"},
		{"http://8.8.8.8/c/acme/secretcode", "", "", "plain http"},
		{"http://localhost.evil.example/c/acme/secretcode", "", "", "plain http"},
		{"javascript://go.example/c/acme/secretcode", "", "", "https links"},
		{"https://user@go.example/c/acme/secretcode", "", "", "not an address"},
		{"https://go.example/h/secretcode", "", "", "/c/ or /a/"},
		{"https://go.example/a/acme/connect", "", "", "after its #"},
		{"https://app.example/handoff?pickup=secretcode", "", "", "--portal"},
		{"no code at all", "", "", "neither"},
		{"https://go.example/%zz/secretcode", "", "", "not an address"},
	}
	for _, tt := range tests {
		_, err := phone.ParseSource(tt.text, tt.portal, tt.partner)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("ParseSource(%q, %q, %q) error = %v, want one with %q", tt.text, tt.portal, tt.partner, err, tt.says)
		}
		if err != nil && strings.Contains(err.Error(), "secretcode") {
			t.Errorf("ParseSource(%q) error %v repeats the code", tt.text, err)
		}
	}
}
