package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"
	"golang.org/x/text/language"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/web/site"
)

// createRequest is the body of POST /v1/handoffs.
type createRequest struct {
	InstanceID   *string         `json:"instanceId"`
	Journey      *journeyRequest `json:"journey"`
	Scope        []string        `json:"scope"`
	App          string          `json:"app"`
	ParentOrigin string          `json:"parentOrigin"`
	ReturnURL    string          `json:"returnUrl"`
	Locale       string          `json:"locale"`
	Label        string          `json:"label"`
	Reference    string          `json:"reference"`
	Confirmation string          `json:"confirmation"`
	ExpiresIn    *int            `json:"expiresIn"`
	Contact      *contactRequest `json:"contact"`
}

type journeyRequest struct {
	ResourceID string         `json:"resourceId"`
	Context    jsontext.Value `json:"context"`
}

// contactRequest is offered to the person as the address of a message.
type contactRequest struct {
	Phone string `json:"phone"`
	Email string `json:"email"`
}

// Limits of what a partner may say of a handoff, in characters.
const (
	maxLabel      = 80
	maxReference  = 200
	maxResourceID = 200
)

// defaultExpiresIn is the time on the way where a partner says nothing.
const defaultExpiresIn = 15 * time.Minute

// faults collects what is wrong with a request.
type faults []handoff.FieldFault

func (f *faults) add(pointer, format string, args ...any) {
	*f = append(*f, handoff.FieldFault{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// check adds the detail of err, if there is one.
func (f *faults) check(pointer string, err error) {
	if err != nil {
		f.add(pointer, "%s", site.Classified(err).Detail)
	}
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	e := handoff.Errorf(handoff.CodeInvalid, "%d of the values sent cannot be used", len(f))
	e.Fields = f
	return e
}

// handoff is what r asks for, in the terms of p; every fault at once.
func (r createRequest) handoff(p *partner.Partner, frame time.Duration, m site.Messenger) (handoff.NewHandoff, error) {
	var f faults
	n := handoff.NewHandoff{Partner: p.ID}
	switch {
	case (r.InstanceID == nil) == (r.Journey == nil):
		f.add("", "give instanceId or journey, one of the two")
	case r.InstanceID != nil:
		id, err := handoff.ParseInstanceID(*r.InstanceID)
		f.check("/instanceId", err)
		n.Instance = id
	default:
		n.Journey = &handoff.Journey{ResourceID: r.Journey.ResourceID, Context: json.RawMessage(r.Journey.Context)}
		if l := len(r.Journey.ResourceID); l == 0 || l > maxResourceID {
			f.add("/journey/resourceId", "1 to %d characters", maxResourceID)
		}
		if len(r.Journey.Context) > 0 && r.Journey.Context.Kind() != '{' {
			f.add("/journey/context", "an object")
		}
	}
	app, ok := p.App(handoff.AppID(r.App))
	if !ok {
		f.add("/app", "no such app: %s", appIDs(p))
		app, _ = p.App("") // to look at all the rest
	}
	n.App = app.ID
	n.Terms = handoff.Terms{
		Scope: r.scope(&f), ParentOrigin: r.ParentOrigin, ReturnURL: r.ReturnURL, Locale: r.Locale, Label: r.Label, Reference: r.Reference,
		Confirmation: r.confirmation(p, app, &f), ExpiresIn: r.expiresIn(&f),
		CompleteWithin: p.CompleteWithin, Retain: p.Retain, Exchange: app.Exchange, CodeMode: app.CodeMode, Frame: frame, Routes: p.Routes,
	}
	if r.ParentOrigin != "" && !p.AllowsOrigin(r.ParentOrigin) {
		f.add("/parentOrigin", "not one of the registered origins")
	}
	if r.ReturnURL != "" && !p.AllowsReturnURL(r.ReturnURL) {
		f.add("/returnUrl", "its origin and path are not among the registered return URLs")
	}
	if r.Locale != "" {
		if _, err := language.Parse(r.Locale); err != nil || len(r.Locale) > 35 {
			f.add("/locale", "a BCP 47 language tag, such as fr or pt-BR")
		}
	}
	if utf8.RuneCountInString(r.Label) > maxLabel || strings.ContainsFunc(r.Label, isControl) {
		f.add("/label", "at most %d characters, none of them control characters", maxLabel)
	}
	if utf8.RuneCountInString(r.Reference) > maxReference || strings.ContainsFunc(r.Reference, isControl) {
		f.add("/reference", "at most %d characters, none of them control characters", maxReference)
	}
	n.Contact = r.contact(m, &f)
	return n, f.err()
}

// contact reads how the person can be reached. What nobody here can send to is not
// looked at, nor kept.
func (r createRequest) contact(m site.Messenger, f *faults) []handoff.Recipient {
	if r.Contact == nil || m == nil {
		return nil
	}
	var all []handoff.Recipient
	for _, c := range []struct {
		route            handoff.Route
		text, at, wanted string
	}{
		{handoff.RouteSMS, r.Contact.Phone, "/contact/phone", "a mobile number with its country code, such as +44 7700 900123"},
		{handoff.RouteEmail, r.Contact.Email, "/contact/email", "one e-mail address"},
	} {
		if c.text == "" || !m.Sends(c.route) {
			continue
		}
		to, err := m.Recipient(c.route, c.text, "")
		if err != nil {
			f.add(c.at, "%s", c.wanted)
			continue
		}
		all = append(all, to)
	}
	return all
}

func isControl(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) }

func appIDs(p *partner.Partner) string {
	ids := make([]string, len(p.Apps))
	for i := range p.Apps {
		ids[i] = string(p.Apps[i].ID)
	}
	return "use " + strings.Join(ids, " or ")
}

func (r createRequest) scope(f *faults) []handoff.Scope {
	if len(r.Scope) == 0 {
		return []handoff.Scope{handoff.ScopeMobile}
	}
	var scope []handoff.Scope
	for i, s := range r.Scope {
		parsed, err := handoff.ParseScope(s)
		f.check("/scope/"+strconv.Itoa(i), err)
		if err == nil && !slices.Contains(scope, parsed) {
			scope = append(scope, parsed)
		}
		if i == 8 {
			f.add("/scope", "too many")
			break
		}
	}
	return scope
}

func (r createRequest) confirmation(p *partner.Partner, app *partner.App, f *faults) handoff.Confirmation {
	if r.Confirmation == "" {
		return p.Confirmation
	}
	asked, err := handoff.ParseConfirmation(r.Confirmation)
	switch {
	case err != nil:
		f.check("/confirmation", err)
	case !asked.AtLeast(p.Confirmation):
		f.add("/confirmation", "the partner's setting is %s: a handoff can ask for more, not for less", p.Confirmation)
	case app.CodeMode == handoff.CodeToken && asked != handoff.ConfirmNever:
		f.add("/confirmation", "an app with code: token connects by itself, so that no number can be asked for")
	}
	return asked
}

func (r createRequest) expiresIn(f *faults) time.Duration {
	if r.ExpiresIn == nil {
		return defaultExpiresIn
	}
	d := time.Duration(*r.ExpiresIn) * time.Second
	if *r.ExpiresIn < int(handoff.MinExpiresIn/time.Second) || *r.ExpiresIn > int(handoff.MaxExpiresIn/time.Second) {
		f.add("/expiresIn", "%d to %d seconds", int(handoff.MinExpiresIn/time.Second), int(handoff.MaxExpiresIn/time.Second))
	}
	return d
}

// create serves POST /v1/handoffs. A call that comes again with its
// Idempotency-Key is known before its body is looked into: what was good once is
// answered as it was, whatever the settings are by now.
func (a *Partner) create(c echo.Context) error {
	ctx := c.Request().Context()
	body, err := site.ReadBody(c)
	if err != nil {
		return err
	}
	request, err := requestOf(c, body)
	if err != nil {
		return err
	}
	if request != nil {
		if h, again, err := a.Handoffs.Repeated(ctx, *request); err != nil || again {
			return a.sendNew(c, h, again, err)
		}
	}
	var r createRequest
	if err := site.ParseJSON(body, &r); err != nil {
		return err
	}
	n, err := r.handoff(caller(c), a.frame, a.messenger)
	if err != nil {
		return err
	}
	if request == nil {
		h, err := a.Handoffs.Create(ctx, n)
		return a.sendNew(c, h, false, err)
	}
	h, again, err := a.Handoffs.CreateOnce(ctx, n, *request)
	return a.sendNew(c, h, again, err)
}

// maxIdempotencyKey is the longest Idempotency-Key.
const maxIdempotencyKey = 255

// requestOf is the call as its Idempotency-Key names it, or nil.
func requestOf(c echo.Context, body []byte) (*handoff.Request, error) {
	keys := c.Request().Header.Values("Idempotency-Key")
	if len(keys) == 0 {
		return nil, nil //nolint:nilnil // no name is no fault
	}
	key := keys[0]
	if len(keys) > 1 || key == "" || len(key) > maxIdempotencyKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		var f faults
		f.add("/Idempotency-Key", "one key of 1 to %d printable characters", maxIdempotencyKey)
		return nil, f.err()
	}
	return new(handoff.NewRequest(caller(c).ID, key, body)), nil
}

// sendNew answers with a handoff that was made, by this call or by the same one
// before.
func (a *Partner) sendNew(c echo.Context, h handoff.Handoff, again bool, err error) error {
	if err != nil {
		return err
	}
	if again {
		c.Response().Header().Set("Idempotent-Replayed", "true")
	}
	c.Response().Header().Set("Location", a.Hosts.Public+"/v1/handoffs/"+string(h.ID))
	return a.send(c, http.StatusCreated, h)
}
