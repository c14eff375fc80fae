package web

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/web/site"
	"github.com/handoff-portal/handoff/web/viewers"
)

// examinedStream is how long the stream of an examination is held open. A caller
// that has read its event sooner has seen that nobody between holds events back.
const examinedStream = 4 * time.Second

// examiner answers handoff doctor.
type examiner struct {
	*site.Site
	examines func(key string) (parent string, ok bool)
}

// examination is what the portal says to handoff doctor of how its request came
// through: what only the two ends together can know.
type examination struct {
	V         int       `json:"v"`
	Nonce     string    `json:"nonce"` // another with every answer, so that a copy shows
	LinkURL   string    `json:"linkUrl"`
	Now       time.Time `json:"now"`
	Peer      string    `json:"peer"`      // the other end of the connection
	Address   string    `json:"address"`   // who is counted as asking
	Before    int       `json:"before"`    // how many X-Forwarded-For names before that one
	Forwarded bool      `json:"forwarded"` // X-Forwarded-For came
	Origin    string    `json:"origin"`    // what browsers say of where a request comes from, as it came
	FetchSite string    `json:"fetchSite"`
	FetchDest string    `json:"fetchDest"`
}

// The text around the JSON: a page, as a display is one, since what stands
// between may treat pages in its own way.
const (
	examinedBefore = "<!doctype html><title>handoff doctor</title><pre>"
	examinedAfter  = "</pre>"
)

// examined answers handoff doctor, which asks by a key that only a holder of the
// server key can make, and which is good for a few minutes, in the place of a
// display's or a claim's. So it meets the rules that a proxy has for these very
// paths; there is no handoff behind it, and nothing changes. The key names the
// origin whose frame the answer is to allow, as a display's terms do.
func (d *examiner) examined(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		parent, ok := d.examines(c.ParamValues()[0])
		if !ok {
			return next(c)
		}
		if path.Base(c.Path()) == "events" {
			return d.examineStream(c)
		}
		if err := d.AllowFrame(c, parent); err != nil {
			return err
		}
		r := c.Request()
		peer, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			peer = r.RemoteAddr
		}
		body, err := json.Marshal(examination{
			V: 1, Nonce: rand.Text(), LinkURL: d.Hosts.Link, Now: d.Handoffs.Now().UTC(), Peer: peer, Address: d.Address(r), Before: namedBefore(r, d.Address(r)),
			Forwarded: r.Header.Get(echo.HeaderXForwardedFor) != "", Origin: r.Header.Get(echo.HeaderOrigin),
			FetchSite: r.Header.Get("Sec-Fetch-Site"), FetchDest: r.Header.Get("Sec-Fetch-Dest"),
		})
		if err != nil {
			return err
		}
		return c.HTML(http.StatusOK, examinedBefore+string(body)+examinedAfter) // json.Marshal escapes < and &
	}
}

// namedBefore is how many addresses X-Forwarded-For has before the one that counts.
func namedBefore(r *http.Request, address string) int {
	all := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
	for i, a := range slices.Backward(all) {
		if strings.TrimSpace(a) == address {
			return i
		}
	}
	return 0
}

// examineStream sends one event at once, and nothing more until its time is over.
func (d *examiner) examineStream(c echo.Context) error {
	release, ok := d.Streams.Open("doctor", d.Network(c))
	if !ok {
		return viewers.NoPlace(c)
	}
	defer release()
	w, err := viewers.Start(c)
	if err != nil {
		return err
	}
	w.Write(fmt.Appendf(nil, "event: examined\ndata: {\"held\":%d}\n\n", int(examinedStream/time.Second)))
	over := time.NewTimer(examinedStream)
	defer over.Stop()
	select {
	case <-over.C:
	case <-c.Request().Context().Done():
	}
	return nil
}
