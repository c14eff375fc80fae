package handoff

import (
	"crypto/subtle"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A QR's code is "reference.t.mac" where frames are on: t counts the frames
// since the display was first shown, in base 32, and the MAC covers both. A
// picture of the code is worth FrameLate, whoever forwards it.

// Frame is the number of the frame that is shown at t, and when the next one
// begins; the zero time where none does.
func (h Handoff) Frame(now time.Time) (frame int64, next time.Time) { return h.Rotation().At(now) }

// Rotation is when a display's code changes by itself. The zero Rotation never
// does.
type Rotation struct {
	from  time.Time
	every time.Duration // zero: once, at from
}

// Rotation returns that of h's code. Where the QR carries the connect token itself, a
// new frame begins when that has to be renewed.
func (h Handoff) Rotation() Rotation {
	switch {
	case h.Terms.CodeMode == CodeToken && h.Connect == nil:
		return Rotation{from: h.CreatedAt}
	case h.Terms.CodeMode == CodeToken:
		return Rotation{from: h.Connect.fades()}
	case h.Terms.Frame <= 0 || h.DisplayedAt.IsZero():
		return Rotation{}
	}
	return Rotation{from: h.DisplayedAt, every: h.Terms.Frame}
}

// At is the number of the frame that is shown at now, and when the next one
// begins; the zero time where none does.
func (r Rotation) At(now time.Time) (frame int64, next time.Time) {
	switch {
	case r.from.IsZero():
		return 0, time.Time{}
	case r.every > 0:
		frame = int64(now.Sub(r.from) / r.every)
		return frame, r.from.Add(time.Duration(frame+1) * r.every)
	case now.Before(r.from):
		return 0, r.from
	}
	return 1, time.Time{}
}

// CodeName names the code that the QR holds now, apart from its frame: another
// name, another code. It is no secret, and empty where there is no code.
func (h Handoff) CodeName() string {
	if h.Terms.CodeMode == CodeToken {
		if h.Connect == nil {
			return ""
		}
		return strconv.FormatInt(h.Connect.MadeAt.UnixMilli(), 36)
	}
	for _, c := range slices.Backward(h.Codes) {
		if c.Route == RouteQR && c.Ended == "" {
			return c.Hash.String()[:8]
		}
	}
	return ""
}

// Framed returns the QR's code as it is shown now: with its frame, where frames are on.
func (s *Service) Framed(h Handoff, reference Secret) (Secret, error) {
	if h.Terms.Frame <= 0 {
		return reference, nil
	}
	frame, _ := h.Frame(s.now())
	mac, ok := s.vault.FrameMAC(h.FrameKeyID, h.ID, reference, frame)
	if !ok {
		return "", Errorf(CodeInternal, "the server key of the frames of %s is gone", h.ID)
	}
	return Secret(reference.Reveal() + "." + formatFrame(frame) + "." + mac), nil
}

func formatFrame(frame int64) string { return strings.ToUpper(strconv.FormatInt(frame, 32)) }

// presented is a code as it arrived: a reference and, from a QR, a frame.
type presented struct {
	reference Secret
	frame     int64
	mac       string
	framed    bool
}

// maxCode bounds what is looked at; the longest code we make is 26+1+13+1+10.
const maxCode = 64

func parsePresented(code Secret) (presented, bool) {
	if len(code) > maxCode {
		return presented{}, false
	}
	parts := strings.Split(code.Reveal(), ".")
	p := presented{reference: Secret(parts[0])}
	switch len(parts) {
	case 1:
		return p, true
	case 3:
		t, err := strconv.ParseInt(strings.ToLower(parts[1]), 32, 64)
		if err != nil || t < 0 || formatFrame(t) != parts[1] {
			return p, false
		}
		p.frame, p.mac, p.framed = t, parts[2], true
		return p, true
	}
	return p, false
}

// fresh reports whether p's frame was made by us and shown a moment ago.
func (s *Service) fresh(h Handoff, p presented, now time.Time) bool {
	if !p.framed || h.Terms.Frame <= 0 {
		return false
	}
	mac, ok := s.vault.FrameMAC(h.FrameKeyID, h.ID, p.reference, p.frame)
	if !ok || subtle.ConstantTimeCompare([]byte(mac), []byte(p.mac)) != 1 {
		return false
	}
	if p.frame > int64(MaxExpiresIn*10/h.Terms.Frame) { // beyond any handoff's life, and safe to multiply
		return false
	}
	shown := h.DisplayedAt.Add(time.Duration(p.frame) * h.Terms.Frame)
	age := now.Sub(shown)
	return age >= -FrameEarly && age <= FrameLate
}

// openedLabel binds a proof of opening to one code.
func (h Handoff) openedLabel(reference Secret) Label {
	return h.label("opened " + HashOf(reference).String())
}

// signOpened proves that a good frame was opened now.
func (s *Service) signOpened(h Handoff, reference Secret, now time.Time) string {
	return s.vault.Sign(h.openedLabel(reference), strconv.FormatInt(now.Unix(), 10))
}

// openedRecently reports whether proof says that a good frame was opened within OpenedGrace.
func (s *Service) openedRecently(h Handoff, reference Secret, proof string, now time.Time) bool {
	value, ok := s.vault.Verify(h.openedLabel(reference), proof)
	if !ok {
		return false
	}
	at, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return false
	}
	age := now.Sub(time.Unix(at, 0))
	return age >= -FrameEarly && age <= OpenedGrace
}
