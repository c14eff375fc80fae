package keyring_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
)

// Three server keys of 32 equal bytes, so that the known answers can be made
// again with any other tool.
var (
	keyA = key('a')
	keyB = key('b')
	keyC = key('c')
)

func key(b byte) handoff.Secret {
	return handoff.Secret(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)))
}

func ring(t testing.TB, keys ...handoff.Secret) *keyring.Keyring {
	t.Helper()
	k, err := keyring.New(keys)
	if err != nil {
		t.Fatalf("New(%d keys): %v", len(keys), err)
	}
	return k
}

var label = handoff.Label{Purpose: "display", Partner: "acme", Handoff: "ho_0123456789012345678901"}

// others are labels that differ from label in one field, or only in where one
// field ends and the next begins.
var others = []handoff.Label{
	{},
	{Purpose: "code", Partner: "acme", Handoff: "ho_0123456789012345678901"},
	{Purpose: "display", Partner: "acmf", Handoff: "ho_0123456789012345678901"},
	{Purpose: "display", Partner: "acme", Handoff: "ho_0123456789012345678902"},
	{Purpose: "display", Partner: "acme"},
	{Purpose: "displaya", Partner: "cme", Handoff: "ho_0123456789012345678901"},
	{Purpose: "display", Partner: "acmeho_", Handoff: "0123456789012345678901"},
	{Purpose: "", Partner: "displayacme", Handoff: "ho_0123456789012345678901"},
}

func TestNewFaults(t *testing.T) {
	short := handoff.Secret(base64.StdEncoding.EncodeToString(make([]byte, 31)))
	long := handoff.Secret(base64.StdEncoding.EncodeToString(make([]byte, 33)))
	for name, tt := range map[string]struct {
		keys []handoff.Secret
		want []string
	}{
		"none":      {nil, []string{"no server key"}},
		"empty":     {[]handoff.Secret{""}, []string{"key 1 has 0 bytes"}},
		"short":     {[]handoff.Secret{keyA, short}, []string{"key 2 has 31 bytes"}},
		"long":      {[]handoff.Secret{long}, []string{"key 1 has 33 bytes"}},
		"malformed": {[]handoff.Secret{"!" + keyA[1:]}, []string{"key 1 is not standard base64"}},
		"twice":     {[]handoff.Secret{keyA, keyB, keyA}, []string{"key 3 is the same as server key 1"}},
		"all":       {[]handoff.Secret{short, "?", keyA, keyA}, []string{"key 1 has", "key 2 is not", "key 4 is the same as server key 3"}},
	} {
		_, err := keyring.New(tt.keys)
		if err == nil {
			t.Errorf("New(%s) = nil error, want %q", name, tt.want)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("New(%s) = %q, want %q in it", name, err, want)
			}
		}
		for _, k := range tt.keys {
			if len(k) > 1 && strings.Contains(err.Error(), k.Reveal()) {
				t.Errorf("New(%s) = %q, which holds a key", name, err)
			}
		}
	}
}

func TestGenerate(t *testing.T) {
	a, b := keyring.Generate(), keyring.Generate()
	if a == b {
		t.Errorf("Generate() twice = %q twice", a)
	}
	ring(t, handoff.Secret(a), handoff.Secret(b+"\n")) // a key file ends in a newline
}

func TestPrintsNothing(t *testing.T) {
	k := ring(t, keyA)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "keyring", k)
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), fmt.Sprintf("%s %q", k, k), log.String()} {
		if !strings.Contains(s, "[redacted]") || strings.Contains(s, "97 97") || strings.Contains(s, "aaaa") {
			t.Errorf("a printed Keyring = %q, want it redacted", s)
		}
	}
}

func TestSealRoundTrip(t *testing.T) {
	k := ring(t, keyA)
	for _, plain := range []string{"", "x", strings.Repeat("long ", 1000)} {
		got, err := k.Open(label, k.Seal(label, []byte(plain)))
		if err != nil || string(got) != plain {
			t.Errorf("Open(Seal(%.10q)) = %.10q, %v", plain, got, err)
		}
		got, err = k.OpenUnder("cookie", label, k.SealUnder("cookie", label, []byte(plain)))
		if err != nil || string(got) != plain {
			t.Errorf("OpenUnder(SealUnder(%.10q)) = %.10q, %v", plain, got, err)
		}
	}
	if a, b := k.Seal(label, []byte("x")), k.Seal(label, []byte("x")); bytes.Equal(a, b) {
		t.Error("Seal twice gave the same: the nonce is not random")
	}
}

func TestRotation(t *testing.T) {
	was, both, is := ring(t, keyA), ring(t, keyB, keyA), ring(t, keyB)
	if was.NewestKey() == is.NewestKey() || both.NewestKey() != is.NewestKey() {
		t.Errorf("NewestKey() = %q, %q, %q for A, BA, B: want the second to be the third only", was.NewestKey(), both.NewestKey(), is.NewestKey())
	}
	sealed, under, signed := was.Seal(label, []byte("x")), was.SealUnder("s", label, []byte("x")), was.Sign(label, "x")
	mac, _ := was.FrameMAC(was.NewestKey(), label.Handoff, "ref", 7)

	if _, err := both.Open(label, sealed); err != nil {
		t.Errorf("Open with an older key: %v", err)
	}
	if _, err := both.OpenUnder("s", label, under); err != nil {
		t.Errorf("OpenUnder with an older key: %v", err)
	}
	if _, ok := both.Verify(label, signed); !ok {
		t.Error("Verify with an older key = false, want true")
	}
	if got, ok := both.FrameMAC(was.NewestKey(), label.Handoff, "ref", 7); !ok || got != mac {
		t.Errorf("FrameMAC with an older key = %q, %v, want %q, true", got, ok, mac)
	}
	if got, want := both.Blind(label, "1234567890"), append(is.Blind(label, "1234567890"), was.Blind(label, "1234567890")...); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("Blind with two keys = %v, want %v: newest first", got, want)
	}

	if got, err := is.Open(label, sealed); err == nil {
		t.Errorf("Open without the key = %q, want an error", got)
	}
	if got, err := is.OpenUnder("s", label, under); err == nil {
		t.Errorf("OpenUnder without the key = %q, want an error", got)
	}
	if got, ok := is.Verify(label, signed); ok {
		t.Errorf("Verify without the key = %q, true, want false", got)
	}
	if got, ok := is.FrameMAC(was.NewestKey(), label.Handoff, "ref", 7); ok {
		t.Errorf("FrameMAC without the key = %q, true, want false", got)
	}
	if got, err := was.Open(label, both.Seal(label, []byte("x"))); err == nil {
		t.Errorf("Open of what the newest of two keys sealed, with the older = %q, want an error", got)
	}
}

func TestLabelsBind(t *testing.T) {
	k := ring(t, keyA)
	sealed, under, signed, blind := k.Seal(label, []byte("x")), k.SealUnder("s", label, []byte("x")), k.Sign(label, "x"), k.Blind(label, "12")
	for _, l := range others {
		if _, err := k.Open(l, sealed); err == nil {
			t.Errorf("Open(%v) of what was sealed for %v = nil error", l, label)
		}
		if _, err := k.OpenUnder("s", l, under); err == nil {
			t.Errorf("OpenUnder(%v) of what was sealed for %v = nil error", l, label)
		}
		if _, ok := k.Verify(l, signed); ok {
			t.Errorf("Verify(%v) of what was signed for %v = true", l, label)
		}
		if k.Blind(l, "12")[0] == blind[0] {
			t.Errorf("Blind(%v) = Blind(%v)", l, label)
		}
	}
}

func TestSecretBinds(t *testing.T) {
	k := ring(t, keyA)
	under := k.SealUnder("s", label, []byte("x"))
	for _, secret := range []handoff.Secret{"", "t", "s\x00", "ss"} {
		if _, err := k.OpenUnder(secret, label, under); err == nil {
			t.Errorf("OpenUnder(%q) of what was sealed under another secret = nil error", secret.Reveal())
		}
	}
	if _, err := k.Open(label, under); err == nil {
		t.Error("Open of what was sealed under a secret = nil error")
	}
	if _, err := k.OpenUnder("s", label, k.Seal(label, []byte("x"))); err == nil {
		t.Error("OpenUnder of what was sealed without a secret = nil error")
	}
	if _, err := k.OpenUnder("", label, k.SealUnder("", label, []byte("x"))); err == nil {
		t.Error("OpenUnder of what was sealed under an empty secret = nil error: it would open with the server key alone")
	}
}

func TestEveryBitCounts(t *testing.T) {
	k := ring(t, keyA, keyB)
	for name, open := range map[string]struct {
		sealed handoff.Sealed
		open   func(handoff.Sealed) ([]byte, error)
	}{
		"Open":      {k.Seal(label, []byte("secret")), func(s handoff.Sealed) ([]byte, error) { return k.Open(label, s) }},
		"OpenUnder": {k.SealUnder("s", label, []byte("secret")), func(s handoff.Sealed) ([]byte, error) { return k.OpenUnder("s", label, s) }},
	} {
		for i := range len(open.sealed) * 8 {
			s := bytes.Clone(open.sealed)
			s[i/8] ^= 1 << (i % 8)
			if got, err := open.open(s); err == nil {
				t.Errorf("%s with bit %d flipped = %q, want an error", name, i, got)
			}
		}
		for i := range open.sealed {
			if got, err := open.open(open.sealed[:i]); err == nil {
				t.Errorf("%s of the first %d bytes = %q, want an error", name, i, got)
			}
		}
	}
	signed := k.Sign(label, "value")
	for i := range signed {
		for _, c := range []byte{signed[i] ^ 1, signed[i] ^ 0x20, '.', '-'} {
			s := []byte(signed)
			if s[i] == c {
				continue
			}
			s[i] = c
			if got, ok := k.Verify(label, string(s)); ok {
				t.Errorf("Verify(%q) = %q, true, want false", s, got)
			}
		}
	}
}

func TestSignRoundTrip(t *testing.T) {
	k := ring(t, keyA)
	for _, value := range []string{"", "1767225600", "a.b.c", "...", "-_"} {
		signed := k.Sign(label, value)
		if got, ok := k.Verify(label, signed); !ok || got != value {
			t.Errorf("Verify(%q) = %q, %v, want %q, true", signed, got, ok, value)
		}
		if rest := strings.Trim(signed[len(value):], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."); rest != "" {
			t.Errorf("Sign(%q) = %q, with %q outside the URL-safe alphabet", value, signed, rest)
		}
	}
	for _, s := range []string{"", ".", "..", "x", "x.y", k.NewestKey() + ".", "x." + k.NewestKey() + "."} {
		if got, ok := k.Verify(label, s); ok {
			t.Errorf("Verify(%q) = %q, true, want false", s, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := ring(f, keyA, keyB)
	f.Add([]byte(k.Seal(label, []byte("x"))))
	f.Add([]byte(k.SealUnder("s", label, []byte("x"))))
	f.Add([]byte{1, 2, 3, 4, 5})
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = k.Open(label, b)
		_, _ = k.OpenUnder("s", label, b)
	})
}

func FuzzVerify(f *testing.F) {
	k := ring(f, keyA, keyB)
	f.Add(k.Sign(label, "x"))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, s string) {
		if value, ok := k.Verify(label, s); ok && k.Sign(label, value) != s && ring(t, keyB).Sign(label, value) != s {
			t.Errorf("Verify(%q) = %q, true, which Sign does not make", s, value)
		}
	})
}
