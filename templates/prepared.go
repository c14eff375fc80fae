package templates

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/a-h/templ"

	"github.com/handoff-portal/handoff/internal/i18n"
)

// Prepared renders displays out of parts. What two displays of the same look have
// in common is rendered once, by DisplayPage with marks in the places of what is
// each one's own; after that a page is those parts and what belongs between them,
// byte for byte what DisplayPage would have written.
//
// The same for a page in gzip: the parts are compressed once, each by itself or with
// those before it, and what is between them stands there as it is. So a page's secrets
// are not compressed together with anything, and its length tells nothing of them.
type Prepared struct {
	mu    sync.Mutex                             // held to add
	looks atomic.Pointer[map[look]*preparedPage] // replaced, never changed
}

// maxLooks bounds what is kept. There are as many looks as there are partners,
// apps, languages and screens in use.
const maxLooks = 400

// look is all that a page's common parts depend on.
type look struct {
	owner        string
	brand        Brand
	lang         i18n.Lang
	menu         *Language // the first of them: a menu is made once
	target       i18n.Target
	demo         bool
	refresh      int
	supportRef   bool
	screen       Screen
	status       string
	tokenMode    bool
	onPhone      bool
	framed       bool
	parentOrigin string
	expires      bool
	canExtend    bool
	moreTime     bool
	canLink      bool
	canSMS       bool
	canEmail     bool
	canType      bool
	canLocal     bool
	canNoPhone   bool
	typedAddress string
	deepLink     int // its length
}

// own is what a display has of its own.
type own uint8

const (
	ownSupportRef own = iota
	ownID
	ownSeq
	ownPath
	ownViewBox
	ownBase
	ownDeepLink
	ownExpires
	ownNow
	ownLeft
	ownCount
)

// marks stand for what a display has of its own while its look is prepared.
type marks [ownCount]string

// value is one of d's own, escaped as templ does it.
func (d *Display) value(o own) string {
	switch o {
	case ownPath:
		return d.QR.Path // digits, letters, spaces, dots and minuses
	case ownViewBox:
		return d.QR.ViewBox
	case ownSeq:
		return d.seq()
	case ownExpires:
		return d.expires()
	case ownNow:
		return d.now()
	case ownSupportRef:
		return templ.EscapeString(d.SupportRef)
	case ownID:
		return templ.EscapeString(d.ID)
	case ownBase:
		return templ.EscapeString(d.Base)
	case ownDeepLink:
		return templ.EscapeString(string(d.DeepLinkURL))
	case ownLeft:
		return templ.EscapeString(d.left())
	case ownCount:
	}
	return ""
}

// values is everything of d's own.
func (d *Display) values() (all [ownCount]string) {
	for o := range all {
		all[o] = d.value(own(o))
	}
	return all
}

// marked is d with marks in the places of what is its own.
func (d Display) marked() Display {
	m := &marks{}
	for i := range m {
		m[i] = rand.Text()
	}
	if d.SupportRef != "" {
		d.SupportRef = m[ownSupportRef]
	}
	d.ID, d.Base, d.DeepLinkURL = m[ownID], m[ownBase], templ.SafeURL(m[ownDeepLink])
	d.QR = QR{Path: m[ownPath], ViewBox: m[ownViewBox]}
	d.marks = m
	return d
}

// look is d's, and whether d has nothing that a look does not tell: links and codes
// given out, a number asked for, an end.
func (d *Display) look(owner string) (look, bool) {
	switch d.Screen {
	case ScreenWaiting, ScreenOpened, ScreenTooMany, ScreenConnected, ScreenUnopened, ScreenDelivered, ScreenStopped, ScreenQuiet:
	case ScreenInApp, ScreenNumber, ScreenStore, ScreenAway, ScreenCompleted, ScreenExpired, ScreenCancelled,
		ScreenCancelledLate, ScreenRejected, ScreenRejectedLate, ScreenFailed, ScreenReplaced:
		return look{}, false
	}
	if d.SMS != nil || d.Email != nil || len(d.NotSent) > 0 || d.SMSTo != "" || d.EmailTo != "" {
		return look{}, false
	}
	if d.Link != nil || d.TypedCode != "" || d.ReturnURL != "" || d.Nonce != "" || d.AppBanner != "" || !strings.HasPrefix(d.Base, "/h/") {
		return look{}, false
	}
	var menu *Language
	if len(d.Languages) > 0 {
		menu = &d.Languages[0]
	}
	return look{
		owner: owner, menu: menu, brand: d.Brand, lang: d.T.Lang(), target: d.T.Target(), demo: d.Demo, refresh: d.Refresh, supportRef: d.SupportRef != "",
		screen: d.Screen, status: d.Status, tokenMode: d.TokenMode, onPhone: d.OnPhone, framed: d.Framed, parentOrigin: d.ParentOrigin,
		expires: !d.ExpiresAt.IsZero(), canExtend: d.CanExtend, moreTime: d.moreTime(),
		canLink: d.CanLink, canSMS: d.CanSMS, canEmail: d.CanEmail, canType: d.CanType, canLocal: d.CanLocal, canNoPhone: d.CanNoPhone, typedAddress: d.TypedAddress, deepLink: len(d.DeepLinkURL),
	}, true
}

// Append appends the page of d, or its gzip. owner names whose texts, links and
// colours the page has: two pages of one owner and language differ in none of
// them. zipped is false where there is no gzip, because nothing is prepared of a
// page like d; then the page itself is appended.
func (p *Prepared) Append(ctx context.Context, b []byte, owner string, d Display, zip bool) (page []byte, zipped bool, err error) {
	l, ok := d.look(owner)
	if !ok {
		b, err := appendRendered(ctx, b, d)
		return b, false, err
	}
	prepared, err := p.page(ctx, l, d)
	if err != nil {
		return b, false, err
	}
	values := d.values()
	if zip && prepared.fits(&values) {
		return prepared.appendZip(b, &values), true, nil
	}
	return prepared.append(b, &values), false, nil
}

func appendRendered(ctx context.Context, b []byte, d Display) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	err := DisplayPage(d).Render(ctx, buf)
	return buf.Bytes(), err
}

// page is the prepared page for a look, prepared now if it was not before.
func (p *Prepared) page(ctx context.Context, l look, d Display) (*preparedPage, error) {
	if looks := p.looks.Load(); looks != nil {
		if page := (*looks)[l]; page != nil {
			return page, nil
		}
	}
	page, err := prepare(ctx, d)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	looks := map[look]*preparedPage{}
	if now := p.looks.Load(); now != nil && len(*now) < maxLooks {
		maps.Copy(looks, *now)
	} // else it begins anew: what is in use comes back
	looks[l] = page
	p.looks.Store(&looks)
	return page, nil
}

// preparedPage is a page's parts, each but the last followed by something of a
// display's own.
type preparedPage struct {
	parts   []part
	last    part
	lengths [ownCount]int // of what is as long in every display that zip is of
}

// steady reports whether something is as long in nearly every display.
func (o own) steady() bool { return o != ownSeq && o != ownPath && o != ownLeft && o != ownCount }

// fits reports whether a display's own are as long as the compressed parts take them to be,
// which say how far back a text is to be found once more.
func (p *preparedPage) fits(values *[ownCount]string) bool {
	for o, n := range p.lengths {
		if own(o).steady() && len(values[o]) != n {
			return false
		}
	}
	return true
}

type part struct {
	plain []byte
	// zip is plain as blocks of deflate. It ends with the head of a stored block, but
	// for that one's length; the last part's ends the stream.
	zip  []byte
	then own
}

// prepare renders d with marks, and cuts the page at each of them.
func prepare(ctx context.Context, d Display) (*preparedPage, error) {
	page := &preparedPage{}
	for o, value := range d.values() {
		page.lengths[o] = len(value)
	}
	d = d.marked()
	rest, err := appendRendered(ctx, nil, d)
	if err != nil {
		return nil, err
	}
	z, err := newDeflater()
	if err != nil {
		return nil, err
	}
	for {
		at, next := len(rest), ownCount
		for o, mark := range d.marks {
			if i := bytes.Index(rest[:at], []byte(mark)); i >= 0 {
				at, next = i, own(o)
			}
		}
		zip, err := z.part(rest[:at], next == ownCount)
		if err != nil {
			return nil, err
		}
		cut := part{plain: rest[:at:at], zip: zip, then: next}
		if next == ownCount {
			page.last = cut
			return page, nil
		}
		page.parts = append(page.parts, cut)
		rest = rest[at+len(d.marks[next]):]
		if err := z.pass(next, page.lengths[next]); err != nil {
			return nil, err
		}
	}
}

// deflater compresses the parts of one page.
type deflater struct {
	w   *flate.Writer
	buf bytes.Buffer
}

func newDeflater() (*deflater, error) {
	z := &deflater{}
	var err error
	if z.w, err = flate.NewWriter(&z.buf, flate.BestCompression); err != nil { // a megabyte, for all the parts
		return nil, fmt.Errorf("preparing a page: %w", err)
	}
	return z, nil
}

// part compresses b, which may refer to the parts before it.
func (z *deflater) part(b []byte, last bool) ([]byte, error) {
	z.buf.Reset()
	if _, err := z.w.Write(b); err != nil {
		return nil, fmt.Errorf("preparing a page: %w", err)
	}
	if last {
		err := z.w.Close()
		return bytes.Clone(z.buf.Bytes()), err
	}
	// Flushing writes an empty stored block (RFC 1951 §3.2.4). Without its length,
	// 0000 ffff, it is the head of whatever block we make of it.
	if err := z.w.Flush(); err != nil {
		return nil, fmt.Errorf("preparing a page: %w", err)
	}
	return bytes.Clone(bytes.TrimSuffix(z.buf.Bytes(), []byte{0, 0, 0xff, 0xff})), nil
}

// pass leaves room for something of a display's own, n bytes long. No part refers to
// what stands there: these zeros are in no page. Where it is not always so long,
// nothing after it refers to anything before it.
func (z *deflater) pass(o own, n int) error {
	if !o.steady() {
		z.w.Reset(&z.buf)
		return nil
	}
	_, err := z.w.Write(make([]byte, n))
	if err = errors.Join(err, z.w.Flush()); err != nil {
		return fmt.Errorf("preparing a page: %w", err)
	}
	return nil
}

func (p *preparedPage) append(b []byte, values *[ownCount]string) []byte {
	for _, part := range p.parts {
		b = append(b, part.plain...)
		b = append(b, values[part.then]...)
	}
	return append(b, p.last.plain...)
}

// maxStored is the most that a stored block holds.
const maxStored = 1<<16 - 1

// appendZip appends a gzip stream of one member (RFC 1952).
func (p *preparedPage) appendZip(b []byte, values *[ownCount]string) []byte {
	b = append(b, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255) // deflate, no name, no time, any system
	sum, size := uint32(0), 0
	count := func(plain []byte) {
		sum = crc32.Update(sum, crc32.IEEETable, plain)
		size += len(plain)
	}
	for _, part := range p.parts {
		b = append(b, part.zip...)
		count(part.plain)
		value := values[part.then]
		for {
			n := min(len(value), maxStored)
			b = binary.LittleEndian.AppendUint16(b, uint16(n))
			b = binary.LittleEndian.AppendUint16(b, ^uint16(n))
			b = append(b, value[:n]...)
			count(b[len(b)-n:])
			if value = value[n:]; value == "" {
				break
			}
			b = append(b, 0) // the head of one more stored block
		}
	}
	b = append(b, p.last.zip...)
	count(p.last.plain)
	b = binary.LittleEndian.AppendUint32(b, sum)
	return binary.LittleEndian.AppendUint32(b, uint32(size)) // modulo 2³², says RFC 1952
}
