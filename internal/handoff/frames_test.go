package handoff_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/handoff"
)

func everySecond(o *handoff.Terms) { o.Frame = time.Second }

// frame makes the code of a QR with a frame of our choice.
func (d *desk) frame(id handoff.ID, signed, shown handoff.Secret, frame int64) handoff.Secret {
	d.t.Helper()
	mac, ok := d.vault.FrameMAC(d.stored().FrameKeyID, id, signed, frame)
	if !ok {
		d.t.Fatal("FrameMAC(): no such key")
	}
	return handoff.Secret(shown.Reveal() + "." + strings.ToUpper(strconv.FormatInt(frame, 32)) + "." + mac)
}

// reference is the QR's code without its frame.
func (d *desk) reference() handoff.Secret {
	d.t.Helper()
	reference, _, _ := strings.Cut(d.code(handoff.RouteQR).Reveal(), ".")
	return handoff.Secret(reference)
}

func TestFrameWindow(t *testing.T) {
	at(t, everySecond, func(d *desk) {
		d.open()
		time.Sleep(2 * time.Minute)
		now, _ := d.stored().Frame(d.svc.Now())
		ref := d.reference()
		for _, tt := range []struct {
			ahead int64 // in seconds
			want  string
		}{
			{0, "ok"}, {-1, "ok"}, {-30, "ok"}, {-31, "gone/replaced"}, {-119, "gone/replaced"}, {5, "ok"}, {6, "gone/replaced"}, {3600, "gone/replaced"},
		} {
			code := d.frame(d.id, ref, ref, now+tt.ahead)
			_, err := d.svc.Land(t.Context(), partnerID, code, "", visitor(anna))
			wantOutcome(t, "Land(a frame "+strconv.FormatInt(tt.ahead, 10)+" s ahead)", err, tt.want)
		}
	})
	at(t, nil, func(d *desk) {
		d.open()
		time.Sleep(17 * time.Second)
		frame, next := d.stored().Frame(d.svc.Now())
		if frame != 3 || next.Sub(d.svc.Now()) != 3*time.Second {
			t.Errorf("Frame(17 s after the display opened) = %d, the next in %s, want 3, in 3s", frame, next.Sub(d.svc.Now()))
		}
		code := d.code(handoff.RouteQR)
		time.Sleep(28 * time.Second) // 30 s after that frame began
		_, err := d.svc.Land(t.Context(), partnerID, code, "", handoff.Visitor{})
		wantOutcome(t, "Land(30 s old)", err, "ok")
		time.Sleep(time.Millisecond)
		_, err = d.svc.Land(t.Context(), partnerID, code, "", handoff.Visitor{})
		wantOutcome(t, "Land(a moment older)", err, "gone/replaced")
	})
}

// Whatever is wrong with a frame, the answer is the same, so that it tells an
// attacker nothing. RFC 10027: relay of a screenshot.
func TestBadFramesAreNotToldApart(t *testing.T) {
	at(t, everySecond, func(d *desk) {
		d.open()
		other := newDesk(t)
		other.vault, other.svc, other.store = d.vault, d.svc, d.store
		other.create(everySecond)
		other.open()
		link := d.code(handoff.RouteLink)
		time.Sleep(500 * time.Second)
		now, _ := d.stored().Frame(d.svc.Now())
		ref := d.reference()
		good := d.code(handoff.RouteQR)
		parts := strings.Split(good.Reveal(), ".")
		spelt := func(step string) handoff.Secret { return handoff.Secret(parts[0] + "." + step + "." + parts[2]) }
		bad := map[string]handoff.Secret{
			"old":                      d.frame(d.id, ref, ref, now-31),
			"of the future":            d.frame(d.id, ref, ref, now+60),
			"of another handoff":       d.frame(other.id, ref, ref, now),
			"of another reference":     d.frame(d.id, link, ref, now),
			"of the other's reference": d.frame(other.id, other.reference(), ref, now),
			"of another step":          handoff.Secret(parts[0] + "." + strings.ToUpper(strconv.FormatInt(now+1, 32)) + "." + parts[2]),
			"without a frame":          ref,
			"without a MAC":            handoff.Secret(parts[0] + "." + parts[1]),
			"with an empty MAC":        handoff.Secret(parts[0] + "." + parts[1] + "."),
			"with a MAC in lower case": handoff.Secret(parts[0] + "." + parts[1] + "." + strings.ToLower(parts[2]) + "x"),
			"with a longer MAC":        good + "0",
			"with one part more":       good + ".0",
			"in lower case":            spelt(strings.ToLower(parts[1])),
			"with leading zeros":       spelt("0" + parts[1]),
			"with a plus":              spelt("+" + parts[1]),
			"with a minus":             spelt("-" + parts[1]),
			"with a space":             spelt(" " + parts[1]),
			"with an underscore":       spelt(parts[1][:1] + "_" + parts[1][1:]),
			"with no step":             spelt(""),
			"with a huge step":         spelt("7VVVVVVVVVVVV"),
			"beyond 64 bits":           spelt("VVVVVVVVVVVVVVV"),
		}
		for i := range parts[2] {
			for bit := range 5 {
				mac := []byte(parts[2])
				const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
				mac[i] = alphabet[strings.IndexByte(alphabet, mac[i])^(1<<bit)]
				bad["with a flipped bit "+strconv.Itoa(5*i+bit)] = handoff.Secret(parts[0] + "." + parts[1] + "." + string(mac))
			}
		}
		if strings.ToLower(parts[1]) == parts[1] {
			t.Fatalf("step %q has no letter: choose another time", parts[1])
		}
		_, err := d.svc.Land(t.Context(), partnerID, good, "", handoff.Visitor{})
		wantOutcome(t, "Land(a good frame)", err, "ok")
		before := d.stored()
		want := handoff.Gone(handoff.ReasonReplaced)
		for name, code := range bad {
			for call, do := range map[string]func() error{
				"Land":        func() error { _, err := d.svc.Land(t.Context(), partnerID, code, "", visitor(ben)); return err },
				"Claim":       func() error { _, _, err := d.svc.Claim(t.Context(), tap(ben, code)); return err },
				"ClaimForApp": func() error { _, err := d.svc.ClaimForApp(t.Context(), appTap(code, "b")); return err },
				"Refuse":      func() error { _, err := d.svc.Refuse(t.Context(), tap(ben, code)); return err },
			} {
				e, _ := errors.AsType[*handoff.Error](do())
				if diff := cmp.Diff(want, e); diff != "" {
					t.Errorf("%s(a frame %s) differs from the one answer (-want +got):\n%s", call, name, diff)
				}
			}
		}
		if diff := cmp.Diff(before, d.stored()); diff != "" {
			t.Errorf("bad frames changed the handoff (-before +after):\n%s", diff)
		}
		// Codes of other routes have no frames.
		for name, code := range map[string]handoff.Secret{
			"a frame": d.frame(d.id, link, link, now), "two parts": link + ".0", "a malformed frame": link + ".a.0000000000", "four parts": link + "...",
		} {
			_, err := d.svc.Land(t.Context(), partnerID, code, "", handoff.Visitor{})
			wantOutcome(t, "Land(a link with "+name+")", err, "not_found")
		}
		_, err = d.svc.Land(t.Context(), "other", good, "", handoff.Visitor{})
		wantOutcome(t, "Land(another partner's prefix)", err, "not_found")
	})
}

// A person who opened a good frame has five minutes, for that code only.
func TestOpenedProof(t *testing.T) {
	at(t, nil, func(d *desk) {
		d.open()
		old := d.code(handoff.RouteQR)
		l, err := d.svc.Land(t.Context(), partnerID, old, "", visitor(anna))
		if err != nil || l.Opened == "" {
			t.Fatalf("Land() = proof %q, %v, want one", l.Opened, err)
		}
		time.Sleep(4 * time.Minute)
		again, err := d.svc.Land(t.Context(), partnerID, old, l.Opened, visitor(anna))
		if err != nil || again.Opened != l.Opened {
			t.Errorf("Land(with the proof) = another proof, %v: a proof may not renew itself", err)
		}
		_, err = d.svc.Land(t.Context(), partnerID, d.reference(), l.Opened, visitor(anna))
		wantOutcome(t, "Land(the reference alone, with the proof)", err, "ok")
		for name, proof := range map[string]string{"no proof": "", "a changed proof": l.Opened[1:], "a proof with more": l.Opened + "A"} {
			_, err = d.svc.Land(t.Context(), partnerID, old, proof, visitor(anna))
			wantOutcome(t, "Land(an old frame with "+name+")", err, "gone/replaced")
		}
		other := newDesk(t)
		other.vault, other.svc, other.store = d.vault, d.svc, d.store
		other.create(nil)
		other.open()
		_, err = d.svc.Land(t.Context(), partnerID, other.reference(), l.Opened, visitor(anna))
		wantOutcome(t, "Land(another handoff with the proof)", err, "gone/replaced")
		time.Sleep(time.Minute)
		claim := tap(anna, old)
		claim.Opened = l.Opened
		_, _, err = d.svc.Claim(t.Context(), claim)
		wantOutcome(t, "Claim(5 minutes after the landing)", err, "ok")
		if h, err := d.svc.Release(t.Context(), d.key); err != nil || h.Claim != nil {
			t.Fatal(err)
		}
		_, err = d.svc.Land(t.Context(), partnerID, d.reference(), l.Opened, visitor(anna))
		wantOutcome(t, "Land(the new code with the old code's proof)", err, "gone/replaced")
	})
	at(t, nil, func(d *desk) {
		d.open()
		l, err := d.svc.Land(t.Context(), partnerID, d.code(handoff.RouteQR), "", visitor(anna))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(handoff.OpenedGrace + time.Second)
		_, err = d.svc.Land(t.Context(), partnerID, d.reference(), l.Opened, visitor(anna))
		wantOutcome(t, "Land(more than 5 minutes later)", err, "gone/replaced")
	})
}
