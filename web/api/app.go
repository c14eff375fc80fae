package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/web/site"
)

// App is what a partner's native app calls. It takes no key: a code, a pickup
// and a PKCE pair are all it has.
type App struct {
	*site.Site
}

// ForApps returns the API of partners' apps.
func ForApps(s *site.Site) *App { return &App{s} }

// Mount adds its paths to g, which is /v1.
func (a *App) Mount(g *echo.Group) {
	g.POST("/claims", a.claim, a.LimitClaims)
	g.POST("/claims/:claim/token", a.token)
	g.POST("/claims/:claim/reject", a.reject)
	g.POST("/pickups", a.pickUp)
	g.POST("/reports/:report", a.report)
}

type claimRequest struct {
	Code          string `json:"code"`
	Partner       string `json:"partner"`
	CodeChallenge string `json:"codeChallenge"`
	DeviceInfo    struct {
		DeviceID   string `json:"deviceId"`
		DeviceName string `json:"deviceName"`
		DeviceType string `json:"deviceType"`
	} `json:"deviceInfo"`
}

// maxDeviceName bounds what an app may call its device, in characters.
const maxDeviceName = 100

type claimAnswer struct {
	ClaimID   string         `json:"claimId"`
	Status    handoff.Status `json:"status"`
	Number    *string        `json:"number"`
	ExpiresIn int            `json:"expiresIn"`
	Interval  int            `json:"interval"`
	Context   claimContext   `json:"context"`
}

// claimContext is what an app shows a person before asking for the token.
type claimContext struct {
	Partner     string `json:"partner"`
	Label       string `json:"label"`
	Browser     string `json:"browser"`
	OS          string `json:"os"`
	RequestedAt string `json:"requestedAt"`
}

// claim serves POST /v1/claims.
func (a *App) claim(c echo.Context) error {
	var r claimRequest
	if err := site.ReadJSON(c, &r); err != nil {
		return err
	}
	var f faults
	if utf8.RuneCountInString(r.DeviceInfo.DeviceName) > maxDeviceName {
		f.add("/deviceInfo/deviceName", "at most %d characters", maxDeviceName)
	}
	class := handoff.Class(r.DeviceInfo.DeviceType)
	switch class {
	case handoff.ClassMobile, handoff.ClassDesktop, handoff.ClassUnknown:
	case handoff.ClassTablet:
		f.add("/deviceInfo/deviceType", "mobile or desktop: to the platform a tablet is mobile")
	default:
		f.add("/deviceInfo/deviceType", "mobile or desktop")
	}
	if r.Code == "" {
		f.add("/code", "a code, its whole URL, or ten digits")
	}
	if err := f.err(); err != nil {
		return err
	}
	p, code, err := a.Hosts.ParseCode(r.Code, handoff.PartnerID(r.Partner))
	if err != nil {
		if handoff.CodeOf(err) == handoff.CodeNotFound { // the work of one that is well formed: there is no telling them apart
			_, _ = a.Handoffs.PartnerOf(c.Request().Context(), handoff.Secret(r.Code))
		}
		return err
	}
	if p == "" { // a bare code: its handoff says whose it is
		if p, err = a.Handoffs.PartnerOf(c.Request().Context(), handoff.Secret(code)); err != nil {
			return err
		}
	}
	by := a.Visitor(c)
	by.Class, by.InApp, by.Name = class, "", ""
	var got handoff.AppClaim
	err = a.Guess(c, p, handoff.Secret(code), func() (bool, error) {
		var err error
		got, err = a.Handoffs.ClaimForApp(c.Request().Context(), handoff.AppTap{
			Partner: p, Code: handoff.Secret(code), Opened: openedIn(r.Code), Challenge: r.CodeChallenge, Browser: by, Network: a.SeenFrom(c), Risk: a.BeingGuessed(c, p),
			Device: handoff.DeviceInfo{ID: r.DeviceInfo.DeviceID, Name: r.DeviceInfo.DeviceName, Type: r.DeviceInfo.DeviceType},
		})
		return err == nil || handoff.CodeOf(err) != handoff.CodeNotFound, err
	})
	if err != nil {
		return err
	}
	h := got.Handoff
	answer := claimAnswer{
		ClaimID: got.ClaimID.Reveal(), Status: h.Status, ExpiresIn: int(got.Expires / time.Second), Interval: int(got.Interval / time.Second),
		Context: claimContext{Label: h.Terms.Label, Browser: h.Asker.Name, OS: h.Asker.OS, RequestedAt: site.WireTime(h.CreatedAt)},
	}
	if owner, ok := a.Partners.ByID(h.Partner); ok {
		answer.Context.Partner = owner.Name
	}
	if got.Number != "" {
		answer.Number = &got.Number
	}
	return site.WriteJSON(c, http.StatusCreated, answer)
}

// openedIn is the proof of opening in a landing's way-out link.
func openedIn(code string) string {
	u, err := url.Parse(code)
	if err != nil {
		return ""
	}
	return u.Query().Get(applink.OpenedParam)
}

// token serves POST /v1/claims/:claim/token.
func (a *App) token(c echo.Context) error {
	verifier, err := codeVerifier(c)
	if err != nil {
		return err
	}
	t, err := a.Handoffs.TokenForApp(c.Request().Context(), handoff.Secret(c.Param("claim")), verifier)
	if err != nil {
		return err
	}
	return a.sendToken(c, t)
}

// reject serves POST /v1/claims/:claim/reject.
func (a *App) reject(c echo.Context) error {
	verifier, err := codeVerifier(c)
	if err != nil {
		return err
	}
	if err := a.Handoffs.RefuseForApp(c.Request().Context(), handoff.Secret(c.Param("claim")), verifier); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func codeVerifier(c echo.Context) (handoff.Secret, error) {
	var r struct {
		CodeVerifier string `json:"codeVerifier"`
	}
	err := site.ReadJSON(c, &r)
	return handoff.Secret(r.CodeVerifier), err
}

// pickUp serves POST /v1/pickups.
func (a *App) pickUp(c echo.Context) error {
	var r struct {
		Pickup   string `json:"pickup"`
		Verifier string `json:"verifier"`
	}
	if err := site.ReadJSON(c, &r); err != nil {
		return err
	}
	t, err := a.Handoffs.PickUp(c.Request().Context(), handoff.Secret(r.Pickup), handoff.Secret(r.Verifier))
	if err != nil {
		return err
	}
	return a.sendToken(c, t)
}

// report serves POST /v1/reports/:report, the reportUrl of a token answer.
func (a *App) report(c echo.Context) error {
	var r struct {
		Event string `json:"event"`
	}
	if err := site.ReadJSON(c, &r); err != nil {
		return err
	}
	if err := a.Handoffs.Report(c.Request().Context(), handoff.Secret(c.Param("report")), handoff.Report(r.Event)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// tokenAnswer is the one answer that ever holds a token.
type tokenAnswer struct {
	EndUserToken        string             `json:"endUserToken,omitempty"`
	ConnectToken        string             `json:"connectToken,omitempty"`
	TokenType           string             `json:"tokenType"`
	ExpiresIn           int                `json:"expiresIn"` // seconds
	InstanceID          handoff.InstanceID `json:"instanceId"`
	PlatformURL         string             `json:"platformUrl"`
	HandoffID           handoff.ID         `json:"handoffId"`
	ReportURL           string             `json:"reportUrl"`
	ReturnURL           *string            `json:"returnUrl"`
	JourneyURL          string             `json:"journeyUrl,omitempty"`
	ResumeCredential    string             `json:"resumeCredential,omitempty"`
	CredentialExpiresAt json.RawMessage    `json:"credentialExpiresAt,omitempty"`
	CredentialExpiresIn json.RawMessage    `json:"credentialExpiresIn,omitempty"`
}

func (a *App) sendToken(c echo.Context, t handoff.TokenAnswer) error {
	w := tokenAnswer{
		TokenType: "end-user", ExpiresIn: max(0, int(t.ExpiresAt.Sub(a.Handoffs.Now())/time.Second)), InstanceID: t.Instance,
		PlatformURL: t.PlatformURL, HandoffID: t.Handoff, ReportURL: a.Hosts.Link + "/v1/reports/" + t.ReportKey.Reveal(),
		ResumeCredential: t.ResumeCredential.Reveal(), CredentialExpiresAt: t.CredentialExpiresAt, CredentialExpiresIn: t.CredentialExpiresIn,
	}
	if t.Response != "" {
		back := a.Hosts.Public + "/r/" + t.Response.Reveal()
		w.ReturnURL = &back
	}
	if !t.Connect {
		w.EndUserToken = t.Token.Reveal()
		return site.WriteJSON(c, http.StatusOK, w)
	}
	w.TokenType, w.ConnectToken = "connect", t.Token.Reveal()
	if p, ok := a.Partners.ByID(t.Partner); ok {
		if app, ok := p.App(t.App); ok {
			w.JourneyURL = app.JourneyLink(t.Instance, t.Token).Reveal()
		}
	}
	return site.WriteJSON(c, http.StatusOK, w)
}
