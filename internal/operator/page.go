package operator

import (
	"bytes"
	"context"
	_ "embed" // the style sheet
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

//go:generate go tool templ generate -include-version=false

//go:embed page.css
var styles []byte

// Handoffs is what the page reads.
type Handoffs interface {
	List(ctx context.Context, q handoff.Query) (handoff.Page, error)
	Find(ctx context.Context, name string) (handoff.Handoff, error)
	Now() time.Time
}

// PageConfig is what the page needs; every field is required.
type PageConfig struct {
	Handoffs Handoffs
	Partners []handoff.PartnerID
	Rule     func(handoff.Browser) string
	Log      *slog.Logger
}

// Page serves GET / and its style sheet: the funnel of the last hours, and the
// timeline of one handoff.
type Page struct{ PageConfig }

// most is how many handoffs of a partner are counted: reading more takes longer
// than a person waits.
const most = 20000

// NewPage returns the page.
func NewPage(c PageConfig) *Page { return &Page{c} }

// spans are the times a person can choose.
func spans() []span {
	return []span{{"1h", "hour", time.Hour}, {"24h", "24 hours", 24 * time.Hour}, {"168h", "7 days", 7 * 24 * time.Hour}}
}

type span struct {
	Value, Name string
	d           time.Duration
}

// view is what the page is drawn from.
type view struct {
	Partners []handoff.PartnerID
	Partner  handoff.PartnerID // empty: all of them
	Spans    []span
	Span     span
	Funnel   Funnel
	Cut      bool // there were more than are counted
	Ref      string
	Story    *Timeline
	Unknown  bool // there is no handoff called Ref
	At       time.Time
}

// counted says which handoffs the funnel is of.
func (v view) counted() string {
	text := strconv.Itoa(v.Funnel.Total) + " handoffs"
	if v.Partner != "" {
		text += " of " + string(v.Partner)
	}
	text += ", created in the last " + v.Span.Name + " before " + clock(v.At) + " UTC"
	if v.Cut {
		text += "; the newest 20,000 of a partner are counted, and there are more"
	}
	return text + "."
}

// ServeHTTP serves GET /?partner=&for=&ref=.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	now := p.Handoffs.Now()
	v := view{Partners: p.Partners, Partner: handoff.PartnerID(q.Get("partner")), Spans: spans(), Ref: strings.TrimSpace(q.Get("ref")), At: now.UTC()}
	i := slices.IndexFunc(v.Spans, func(s span) bool { return s.Value == q.Get("for") })
	v.Span = v.Spans[max(i, 0)]
	if i < 0 {
		v.Span = v.Spans[1]
	}
	if !slices.Contains(p.Partners, v.Partner) {
		v.Partner = ""
	}
	if v.Ref != "" {
		switch h, err := p.Handoffs.Find(r.Context(), v.Ref); {
		case err == nil:
			v.Story = new(TimelineOf(h, now))
		case handoff.CodeOf(err) == handoff.CodeNotFound || handoff.CodeOf(err) == handoff.CodeInvalid:
			v.Unknown = true
		default:
			p.fault(w, r, err)
			return
		}
	}
	var err error
	if v.Funnel, v.Cut, err = p.count(r.Context(), v.Partner, now.Add(-v.Span.d)); err != nil {
		p.fault(w, r, err)
		return
	}
	var buf bytes.Buffer
	if err := page(v).Render(r.Context(), &buf); err != nil {
		p.fault(w, r, err)
		return
	}
	head(w.Header(), "text/html; charset=utf-8")
	_, _ = w.Write(buf.Bytes()) // whoever asked may be gone
}

// Styles serves GET /page.css.
func (p *Page) Styles(w http.ResponseWriter, _ *http.Request) {
	head(w.Header(), "text/css; charset=utf-8")
	_, _ = w.Write(styles) // whoever asked may be gone
}

func head(h http.Header, contentType string) {
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
}

func (p *Page) fault(w http.ResponseWriter, r *http.Request, err error) {
	p.Log.ErrorContext(r.Context(), "operator_page_failed", "error", err)
	http.Error(w, "the log says what went wrong", http.StatusInternalServerError)
}

// count reads the handoffs created since a time. cut is set if there are more
// than most of one partner's.
func (p *Page) count(ctx context.Context, only handoff.PartnerID, since time.Time) (f Funnel, cut bool, err error) {
	c := NewCounter(p.Rule)
	for _, id := range p.Partners {
		if only != "" && id != only {
			continue
		}
		more, err := p.add(ctx, c, id, since)
		if err != nil {
			return Funnel{}, false, err
		}
		cut = cut || more
	}
	return c.Funnel(), cut, nil
}

func (p *Page) add(ctx context.Context, c *Counter, partner handoff.PartnerID, since time.Time) (more bool, err error) {
	n := 0
	for q := (handoff.Query{Partner: partner, Limit: 100}); ; {
		page, err := p.Handoffs.List(ctx, q)
		if err != nil {
			return false, err
		}
		for _, h := range page.Items {
			if h.CreatedAt.Before(since) {
				return false, nil
			}
			if n++; n > most {
				return true, nil
			}
			c.Add(h)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return false, nil
		}
	}
}

// row is a line of a table with its bar, Width hundredths of its place.
type row struct {
	Name  string
	N     int
	Share string
	Width int
}

func rowOf(name string, n, of int) row {
	return row{name, n, percent(n, of), n * 100 / max(of, 1)}
}

func rowsOf(counts []Count, of int) []row {
	rows := make([]row, len(counts))
	for i, c := range counts {
		rows[i] = rowOf(c.Name, c.N, of)
	}
	return rows
}

func rowsOfShares(shares []Share) []row {
	rows := make([]row, len(shares))
	for i, s := range shares {
		rows[i] = row{s.Name, s.Of, fmt.Sprintf("%d (%s)", s.Got, percent(s.Got, s.Of)), s.Got * 100 / max(s.Of, 1)}
	}
	return rows
}

func rowsOfNumber(n Number) []row {
	return rowsOf([]Count{{"asked for it", n.Asked}, {"typed it", n.Typed}, {"wrong at least once", n.Wrong}, {"still to be typed", n.Waiting}, {"lost there", n.Lost}}, n.Claimed)
}

func percent(n, of int) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", float64(n)*100/float64(of))
}

// statusOf is a status with its cause.
func statusOf(t Timeline) string {
	if t.Cause != "" {
		return string(t.Status) + " (" + string(t.Cause) + ")"
	}
	return string(t.Status)
}

func clock(t time.Time) string { return t.Format("2006-01-02 15:04:05") }
