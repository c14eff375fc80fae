package site

import (
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/templates"
)

// agent is what a browser says of itself.
type agent struct{ name, brands, mobile, platform string }

// Visitor is the browser of a request.
func (s *Site) Visitor(c echo.Context) handoff.Browser {
	h := c.Request().Header
	a := agent{h.Get("User-Agent"), h.Get("Sec-Ch-Ua"), h.Get("Sec-Ch-Ua-Mobile"), h.Get("Sec-Ch-Ua-Platform")}
	b, ok := s.browsers.Get(a)
	if !ok {
		b = applink.ParseBrowser(a.name, h)
		if len(a.name)+len(a.brands)+len(a.mobile)+len(a.platform) <= rememberedSize {
			s.browsers.Put(a, b)
		}
	}
	b = applink.Around(b, h)
	b.Country = s.country(c.Request())
	return b
}

// Device is a browser as pages tell of it.
func Device(b handoff.Browser) templates.Device {
	return templates.Device{Class: string(b.Class), OS: b.OS, Browser: b.Name, Country: b.Country}
}

// NoteAway logs a failure that is Away, of which a person is told by a page, and says
// when to come again.
func (s *Site) NoteAway(c echo.Context, h handoff.Handoff, err error) {
	SetRetryAfter(c, Classified(err))
	s.Log.WarnContext(c.Request().Context(), "platform_unavailable", "route", c.Path(), "handoff", h.ID, "error", err)
}
