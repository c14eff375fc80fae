package site

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/i18n"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/static"
	"github.com/handoff-portal/handoff/templates"
)

// Render sends a page. It renders to memory first: a component that fails
// half-way must become an error page, not half of one.
func Render(c echo.Context, status int, page templ.Component) error {
	var buf bytes.Buffer
	if err := page.Render(c.Request().Context(), &buf); err != nil {
		return err
	}
	return SendPage(c, status, buf.Bytes())
}

// zippers are kept, for they are large. Nothing of a page stays in them.
var zippers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }} //nolint:gochecknoglobals // a pool is no state

// SendPage compresses a page for whoever can read that. Its length can tell nobody of
// its secrets: who is able to make a browser ask for it knows its address, which is
// the secret, and nothing that a stranger chooses stands in a page beside one.
func SendPage(c echo.Context, status int, page []byte) error {
	header := c.Response().Header()
	header.Add("Vary", "Accept-Encoding")
	if !static.AcceptsGzip(c.Request()) {
		return c.HTMLBlob(status, page)
	}
	zipper, ok := zippers.Get().(*gzip.Writer)
	if !ok {
		return c.HTMLBlob(status, page)
	}
	defer zippers.Put(zipper)
	var buf bytes.Buffer
	zipper.Reset(&buf)
	if _, err := zipper.Write(page); err != nil {
		return fmt.Errorf("compressing a page: %w", err)
	}
	if err := zipper.Close(); err != nil {
		return fmt.Errorf("compressing a page: %w", err)
	}
	header.Set("Content-Encoding", "gzip")
	header.Set("Content-Length", strconv.Itoa(buf.Len()))
	return c.HTMLBlob(status, buf.Bytes())
}

// Page is what every page has, for whoever asks and nobody's handoff.
func (s *Site) Page(c echo.Context) templates.Page {
	lang := s.Language(c, "")
	p := s.page(lang, nil)
	p.Languages = s.languages(c, lang)
	return p
}

func (s *Site) page(lang i18n.Lang, texts i18n.Override) templates.Page {
	return templates.Page{T: s.catalog.Printer(lang, texts), Assets: s.files, Demo: s.demo}
}

// PageBy is a page by a partner, of none of their handoffs.
func (s *Site) PageBy(c echo.Context, owner *partner.Partner) templates.Page {
	lang := s.Language(c, "")
	p := s.branded(lang, owner, "")
	p.Languages = s.languages(c, lang)
	s.allowColours(c, owner.ID)
	return p
}

func (s *Site) pageAssets() templates.Assets {
	asset := func(name string) templates.Asset {
		return templates.Asset{URL: s.assets.URL(name), Integrity: s.assets.Integrity(name)}
	}
	css := asset("css/app.css")
	css.Body = s.sheet
	return templates.Assets{
		CSS: css, DisplayJS: asset("js/display.js"), PhoneJS: asset("js/phone.js"), Icon: asset("img/icon.svg"),
	}
}

// PageOf is the page of one of a partner's handoffs.
func (s *Site) PageOf(c echo.Context, h handoff.Handoff) templates.Page {
	lang := s.Language(c, h.Terms.Locale)
	p := s.PageIn(lang, h)
	p.Languages = s.languages(c, lang)
	s.allowColours(c, h.Partner)
	return p
}

// PageIn is the same in a language, without what only a request can say.
func (s *Site) PageIn(lang i18n.Lang, h handoff.Handoff) templates.Page {
	owner, ok := s.Partners.ByID(h.Partner)
	if !ok {
		return s.page(lang, nil)
	}
	p := s.branded(lang, owner, h.App)
	p.T = p.T.For(target(h.Terms.Scope))
	p.SupportRef = h.SupportRef
	return p
}

// allowColours lets the browser take a partner's sheet where it stands in the page.
func (s *Site) allowColours(c echo.Context, owner handoff.PartnerID) {
	h := c.Response().Header()
	of := coloured{h.Get(policyHeader), owner}
	policy, ok := s.coloured.Get(of)
	if !ok {
		policy = of.policy
		if hash := s.brands.of[owner].hash; !strings.Contains(policy, hash) { // no colours have no hash, which every policy contains
			policy = strings.Replace(policy, "style-src 'self'", "style-src 'self' "+hash, 1)
		}
		s.coloured.Put(of, policy)
	}
	h.Set(policyHeader, policy)
}

// coloured is a policy that is to allow a partner's colours.
type coloured struct {
	policy string
	owner  handoff.PartnerID
}

// branded is a page that speaks and looks as the partner wants it. The answer has to
// allowColours.
func (s *Site) branded(lang i18n.Lang, owner *partner.Partner, app handoff.AppID) templates.Page {
	p, look := s.page(lang, owner.Texts), s.brands.of[owner.ID]
	p.Brand = templates.Brand{Name: owner.Name, LogoURL: look.logo}
	if a, ok := owner.App(app); ok {
		p.Brand.App = a.Name
	}
	p.Assets.Brand = look.css
	// Registered, and https: package partner has checked them.
	p.Links = templates.Links{
		Support: templ.SafeURL(owner.Links.Support), Privacy: templ.SafeURL(owner.Links.Privacy), Legal: templ.SafeURL(owner.Links.Legal),
	}
	return p
}

// target is what the texts call the device that can finish.
func target(scope []handoff.Scope) i18n.Target {
	if !handoff.Allows(scope, handoff.ClassMobile) {
		return i18n.Computer
	}
	return i18n.Phone
}

// sendErrorPage answers a failure to a person. What is unknown, malformed or
// foreign gets one page, whatever the path.
func (s *Site) sendErrorPage(c echo.Context, e *handoff.Error, o outcome) error {
	p := s.Page(c)
	if Away(e) {
		p.Refresh = 5
	}
	if o.status == http.StatusMisdirectedRequest {
		// Under a host that is not ours there are no files of ours.
		p.Assets.PhoneJS, p.Assets.Icon = templates.Asset{}, templates.Asset{}
	}
	later := o.status == http.StatusTooManyRequests || o.status >= http.StatusInternalServerError
	return Render(c, o.status, templates.ProblemPage(templates.ErrorPage{
		Page: p, Status: o.status, Retry: later && c.Request().Method == http.MethodGet,
	}))
}
