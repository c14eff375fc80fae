package site

import (
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/templates"
)

// OpenedParam carries the proof of opening in a landing's way-out link.
const OpenedParam = "o"

// DisplayKey is the key in a display's path.
func DisplayKey(c echo.Context) handoff.Secret { return handoff.Secret(c.Param("key")) }

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

// StoreOf is the store that a browser's apps come from: apple, google, or empty.
func StoreOf(b handoff.Browser) string {
	switch b.OS {
	case "iOS", "iPadOS":
		return "apple"
	case "Android":
		return "google"
	}
	return ""
}

// ReturnURL is where an ended handoff goes on to: what the partner gave, with the
// handoff and its status added. The query is a hint; the API is the truth.
func ReturnURL(h handoff.Handoff) string {
	if h.Terms.ReturnURL == "" || !h.Status.Ended() {
		return ""
	}
	u, err := url.Parse(h.Terms.ReturnURL)
	if err != nil {
		return "" // it was checked when the handoff was created
	}
	ours := []string{"handoff=" + url.QueryEscape(string(h.ID)), "status=" + url.QueryEscape(string(h.Status))}
	if h.Cause == handoff.CauseNoPhone {
		ours = append(ours, "reason="+url.QueryEscape(string(h.Cause)))
	}
	// What the partner wrote stays as it is, whatever it takes for a query; only of a
	// name that is ours there is never a second one.
	query := slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name)
		return pair == "" || slices.ContainsFunc(ours, func(o string) bool { return strings.HasPrefix(o, name+"=") })
	})
	u.RawQuery = strings.Join(append(query, ours...), "&")
	return u.String()
}

// LogUnavailable notes an upstream failure that a person is told of by a page.
func (s *Site) LogUnavailable(c echo.Context, h handoff.Handoff, err error) {
	s.Log.WarnContext(c.Request().Context(), "platform_unavailable", "route", c.Path(), "handoff", h.ID, "error", err)
}
