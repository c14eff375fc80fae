package keyring_test

import (
	"encoding/hex"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// The answers in this file were computed by another implementation, in another
// language, from the description in the doc comments. What is stored and
// printed must still open after an upgrade, so none of them may change.

func TestFrameMACKnownAnswers(t *testing.T) {
	k := ring(t, keyA, keyB)
	for _, tt := range []struct {
		key       string
		id        handoff.ID
		reference handoff.Secret
		frame     int64
		want      string
	}{
		{"266e4cec", "ho_0123456789012345678901", "AAAAAAAAAAAAAAAAAAAAAA", 0, "Z5J73PW223"},
		{"266e4cec", "ho_0123456789012345678901", "AAAAAAAAAAAAAAAAAAAAAA", 1, "P21ZZVF66C"},
		{"078e2b98", "ho_0123456789012345678901", "AAAAAAAAAAAAAAAAAAAAAA", 1, "E94WFQ0G75"},
		{"266e4cec", "ho_0123456789012345678901", "", -1, "K5X7R8Z94V"},
	} {
		got, ok := k.FrameMAC(tt.key, tt.id, tt.reference, tt.frame)
		if !ok || got != tt.want {
			t.Errorf("FrameMAC(%q, %q, %q, %d) = %q, %v, want %q, true", tt.key, tt.id, tt.reference.Reveal(), tt.frame, got, ok, tt.want)
		}
	}
}

func TestFrameMACDistinguishes(t *testing.T) {
	k := ring(t, keyA, keyB, keyC)
	seen := make(map[string]string)
	see := func(what, keyID string, id handoff.ID, reference handoff.Secret, frame int64) {
		mac, ok := k.FrameMAC(keyID, id, reference, frame)
		if !ok || len(mac) != 10 {
			t.Errorf("FrameMAC(%s) = %q, %v, want ten characters", what, mac, ok)
		}
		if other, twice := seen[mac]; twice {
			t.Errorf("FrameMAC(%s) = FrameMAC(%s) = %q", what, other, mac)
		}
		seen[mac] = what
	}
	see("base", "266e4cec", "ho_a", "ref", 1)
	see("other key", "078e2b98", "ho_a", "ref", 1)
	see("other handoff", "266e4cec", "ho_b", "ref", 1)
	see("other reference", "266e4cec", "ho_a", "reg", 1)
	see("next frame", "266e4cec", "ho_a", "ref", 2)
	see("frame before the display", "266e4cec", "ho_a", "ref", -1)
	see("frame of the same low bits", "266e4cec", "ho_a", "ref", 1+1<<32)
	see("reference that runs into the frame", "266e4cec", "ho_a", "ref\x00", 1)
}

func TestSignAndBlindKnownAnswers(t *testing.T) {
	k := ring(t, keyA)
	if got, want := k.NewestKey(), "266e4cec"; got != want {
		t.Errorf("NewestKey() = %q, want %q", got, want)
	}
	if got, want := k.Sign(label, "1767225600"), "1767225600.266e4cec.peJjCuX-VqQuV4vZEL3tBQ"; got != want {
		t.Errorf("Sign(%v, 1767225600) = %q, want %q", label, got, want)
	}
	if got, want := k.Blind(label, "1234567890")[0].String(), "5bbd3286bf8ef5aff7b4aee6942c4243ee12d728e28068b689913dac3f40b98e"; got != want {
		t.Errorf("Blind(%v, 1234567890) = %s, want %s", label, got, want)
	}
}

// TestVerifyUnknownKey: this is the MAC under an empty key, which anybody can
// compute and put beside the id of a key that there is not.
func TestVerifyUnknownKey(t *testing.T) {
	for _, forged := range []string{"1767225600.00000000.nF3Nu-VaLHO_ijumvNPZQw", "1767225600..nF3Nu-VaLHO_ijumvNPZQw"} {
		if got, ok := ring(t, keyA).Verify(label, forged); ok {
			t.Errorf("Verify(%q) = %q, true, want false", forged, got)
		}
	}
}

func TestOpenKnownAnswers(t *testing.T) {
	k := ring(t, keyA)
	sealed, err := hex.DecodeString("01266e4cec000102030405060708090a0bf50af3501014a83c8fbfde4fb2c8b20f78a835cbd1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(label, sealed); err != nil || string(got) != "plain" {
		t.Errorf("Open(%x) = %q, %v, want plain", sealed, got, err)
	}
	under, err := hex.DecodeString("01266e4cec000102030405060708090a0b033306a4c930350c1f0ff440e6f45fa9a1fe97914f")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.OpenUnder("cookie", label, under); err != nil || string(got) != "plain" {
		t.Errorf("OpenUnder(%x) = %q, %v, want plain", under, got, err)
	}
}

func BenchmarkSeal(b *testing.B) {
	k := ring(b, keyA)
	plain := make([]byte, 64)
	for b.Loop() {
		k.Seal(label, plain)
	}
}

func BenchmarkFrameMAC(b *testing.B) {
	k := ring(b, keyA)
	for b.Loop() {
		k.FrameMAC("266e4cec", label.Handoff, "AAAAAAAAAAAAAAAAAAAAAA", 7)
	}
}
