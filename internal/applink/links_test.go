package applink_test

import (
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
)

func hosts() applink.Hosts {
	return applink.Hosts{Link: "https://link.example.com", Public: "https://go.example.com"}
}

const code = "3J98T56AWQ7KXV0EZR2MYB4CHD.1A.7QK2M9XW4T"

func TestLinks(t *testing.T) {
	h := hosts()
	for got, want := range map[string]string{
		h.CodeURL("acme", code):             "https://link.example.com/c/acme/" + code,
		h.PickupURL("acme", "pIcK_up-1"):    "https://link.example.com/a/acme/pIcK_up-1",
		h.TokenDeepLink("acme", "aB3_x-9"):  "https://link.example.com/a/acme/connect#token=aB3_x-9",
		applink.WebLink(app(), "pIcK_up-1"): "https://app.acme.example/handoff?from=portal&pickup=pIcK_up-1",
	} {
		if got != want {
			t.Errorf("a link is %q, want %q", got, want)
		}
	}
	a := app()
	a.WebURL = ""
	if got := applink.WebLink(a, "pIcK_up-1"); got != "" {
		t.Errorf("WebLink without a web app = %q, want nothing", got)
	}
}

func TestParseCode(t *testing.T) {
	link := hosts().CodeURL("acme", code)
	const plain = "hBk3v9Qm2xTzR7wN1pL5cA"
	tests := []struct {
		input   string
		hint    handoff.PartnerID
		partner handoff.PartnerID
		code    string
		fault   handoff.Code
	}{
		{code, "", "", code, ""},
		{code, "acme", "acme", code, ""},
		{" " + code + "\n", "acme", "acme", code, ""},
		{plain, "acme", "acme", plain, ""},
		{link, "", "acme", code, ""},
		{link, "acme", "acme", code, ""},
		{link + "?utm=x", "", "acme", code, ""},
		{"https://go.example.com/c/acme/" + plain, "", "acme", plain, ""},
		{"HTTPS://LINK.example.com/c/acme/" + plain, "", "acme", plain, ""},
		{"0123456789", "acme", "acme", "0123456789", ""},
		{"01234 567-89", "acme", "acme", "0123456789", ""},
		{"٠١٢٣٤ ٥٦٧٨٩", "acme", "acme", "0123456789", ""},
		{"０１２３４５６７８９", "acme", "acme", "0123456789", ""},

		{"0123456789", "", "", "", handoff.CodeInvalid},
		{link, "other", "", "", handoff.CodeNotFound},
		{"", "acme", "", "", handoff.CodeNotFound},
		{"012345678", "acme", "", "", handoff.CodeNotFound},
		{"01234567890", "acme", "", "", handoff.CodeNotFound},
		{"short", "acme", "", "", handoff.CodeNotFound},
		{plain + "/x", "acme", "", "", handoff.CodeNotFound},
		{code + ".1.2.3", "acme", "", "", handoff.CodeNotFound},
		{plain, "ACME!", "", "", handoff.CodeNotFound},
		{"0123456789", "../x", "", "", handoff.CodeNotFound},
		{"https://evil.example/c/acme/" + plain, "", "", "", handoff.CodeNotFound},
		{"https://link.example.com.evil.example/c/acme/" + plain, "", "", "", handoff.CodeNotFound},
		{"https://u@link.example.com/c/acme/" + plain, "", "", "", handoff.CodeNotFound},
		{"http://link.example.com/c/acme/" + plain, "", "", "", handoff.CodeNotFound},
		{"https://link.example.com/a/acme/" + plain, "", "", "", handoff.CodeNotFound},
		{"https://link.example.com/c/acme", "", "", "", handoff.CodeNotFound},
		{"https://link.example.com/c/acme/" + plain + "/claim", "", "", "", handoff.CodeNotFound},
		{"https://link.example.com/c/%61cme/" + plain, "", "", "", handoff.CodeNotFound},
		{"https://link.example.com/c/../c/acme/" + plain, "", "", "", handoff.CodeNotFound},
		{"com.acme.app:/c/acme/" + plain, "", "", "", handoff.CodeNotFound},
		{strings.Repeat("A", 600), "acme", "", "", handoff.CodeNotFound},
	}
	for _, test := range tests {
		p, c, err := hosts().ParseCode(test.input, test.hint)
		var fault handoff.Code
		if err != nil {
			fault = handoff.CodeOf(err)
		}
		if p != test.partner || c != test.code || fault != test.fault {
			t.Errorf("ParseCode(%q, %q) = %q, %q, %v, want %q, %q, %q", test.input, test.hint, p, c, err, test.partner, test.code, test.fault)
		}
	}
}

// FuzzParseCode: what is accepted is a code of ours and nothing else, and its
// link reads back as the same.
func FuzzParseCode(f *testing.F) {
	f.Add(code, "acme")
	f.Add("https://link.example.com/c/acme/"+code, "")
	f.Add("01234-56789", "acme")
	f.Fuzz(func(t *testing.T, input, hint string) {
		h := hosts()
		p, c, err := h.ParseCode(input, handoff.PartnerID(hint))
		if err != nil {
			if p != "" || c != "" {
				t.Errorf("ParseCode(%q, %q) = %q, %q with error %v", input, hint, p, c, err)
			}
			return
		}
		if strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || len(c) < 10 {
			t.Errorf("ParseCode(%q, %q) gives the code %q", input, hint, c)
		}
		if len(c) == 10 || p == "" {
			return
		}
		if p2, c2, err := h.ParseCode(h.CodeURL(p, c), ""); err != nil || p2 != p || c2 != c {
			t.Errorf("ParseCode(CodeURL(%q, %q)) = %q, %q, %v", p, c, p2, c2, err)
		}
	})
}
