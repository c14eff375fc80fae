package operator

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Funnel is how many handoffs came how far, of those it was given.
type Funnel struct {
	Total  int
	Steps  []Count // handoffs that reached a status, whatever came after it
	Ends   []Count // by how they ended, and why
	Routes []Share // claimed by a route, and completed
	Scan   []Count // from the code shown to a phone there, by how long it took
	Number Number
	Opens  []Share // phones' pages that showed a link into the app, by launcher rule, and apps that used it
}

// Count is a number with a name.
type Count struct {
	Name string
	N    int
}

// Share is a part of a number.
type Share struct {
	Name    string
	Of, Got int
}

// Number is what became of the number that phones show.
type Number struct {
	Claimed int // handoffs that a phone claimed: what the others are a share of
	Asked   int // of these: whose last phone was asked for it
	Typed   int
	Waiting int // it is being waited for
	Lost    int // the handoff ended before it was typed
	Wrong   int // handoffs with a wrong number typed
}

// steps are the statuses of the funnel. "opened" is left out: it is a hint that
// an app that opens by itself never gives.
func steps() []handoff.Status {
	return []handoff.Status{
		handoff.StatusCreated, handoff.StatusDisplayed, handoff.StatusClaimed, handoff.StatusConfirmed, handoff.StatusDelivered, handoff.StatusCompleted,
	}
}

// scanTimes are the upper limits of how long a phone takes to come.
func scanTimes() []time.Duration {
	return []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second}
}

// Counter makes a Funnel of handoffs. The zero Counter is not usable; NewCounter
// makes one.
type Counter struct {
	rule                        func(handoff.Browser) string
	total                       int
	steps                       map[handoff.Status]int
	ends                        map[string]int
	routes, opens               map[string]Share
	scan                        []int // one for each of scanTimes, and one for all above
	asked, typed, waiting, lost int
	claimed, wrong              int
}

// NewCounter returns a Counter of nothing. rule names the way in which a browser
// opens apps.
func NewCounter(rule func(handoff.Browser) string) *Counter {
	return &Counter{
		rule: rule, steps: make(map[handoff.Status]int), ends: make(map[string]int), scan: make([]int, len(scanTimes())+1),
		routes: make(map[string]Share), opens: make(map[string]Share),
	}
}

// Add counts h.
func (c *Counter) Add(h handoff.Handoff) {
	c.total++
	first, last, wrong := make(map[handoff.Status]time.Time), handoff.Status(""), false
	for _, e := range h.Events {
		s := handoff.Status(e.Type)
		if e.Type == handoff.EventWrongNumber {
			wrong = true
		}
		if _, err := handoff.ParseStatus(string(s)); err != nil {
			continue
		}
		if _, seen := first[s]; !seen {
			first[s] = e.At
		}
		if !s.Ended() {
			last = s
		}
	}
	for _, s := range steps() {
		if _, ok := first[s]; ok {
			c.steps[s]++
		}
	}
	if h.Status.Ended() {
		name := string(h.Status)
		if h.Cause != "" {
			name += ": " + string(h.Cause)
		}
		c.ends[name]++
	}
	c.scanned(first)
	if _, ok := first[handoff.StatusClaimed]; ok {
		c.number(h, last)
	}
	if wrong {
		c.wrong++
	}
	if h.Claim == nil {
		return
	}
	done := h.Status == handoff.StatusCompleted
	add(c.routes, string(h.Claim.Route), done)
	if _, shown := first[handoff.StatusConnected]; shown && !h.Claim.App() {
		_, picked := first[handoff.StatusDelivered]
		add(c.opens, c.rule(h.Claim.By), picked)
	}
}

// scanned counts how long a phone took to come.
func (c *Counter) scanned(first map[handoff.Status]time.Time) {
	shown, ok := first[handoff.StatusDisplayed]
	if !ok {
		return
	}
	came, ok := first[handoff.StatusOpened]
	if at, claimed := first[handoff.StatusClaimed]; claimed && (!ok || at.Before(came)) {
		came, ok = at, true
	}
	if !ok {
		return
	}
	took := came.Sub(shown)
	i := slices.IndexFunc(scanTimes(), func(limit time.Duration) bool { return took <= limit })
	if i < 0 {
		i = len(c.scan) - 1
	}
	c.scan[i]++
}

// number counts what became of the last phone's number. A claim stays
// unconfirmed only while one is waited for.
func (c *Counter) number(h handoff.Handoff, last handoff.Status) {
	c.claimed++
	switch {
	case h.Confirmed == "number":
		c.typed++
	case last == handoff.StatusClaimed && h.Status.Ended():
		c.lost++
	case h.Status == handoff.StatusClaimed:
		c.waiting++
	default:
		return
	}
	c.asked++
}

func add(m map[string]Share, name string, got bool) {
	s := m[name]
	s.Name = name
	s.Of++
	if got {
		s.Got++
	}
	m[name] = s
}

// Funnel is what was counted.
func (c *Counter) Funnel() Funnel {
	f := Funnel{Total: c.total, Number: Number{Claimed: c.claimed, Asked: c.asked, Typed: c.typed, Waiting: c.waiting, Lost: c.lost, Wrong: c.wrong}}
	for _, s := range steps() {
		f.Steps = append(f.Steps, Count{string(s), c.steps[s]})
	}
	for name, n := range c.ends {
		f.Ends = append(f.Ends, Count{name, n})
	}
	slices.SortFunc(f.Ends, func(a, b Count) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Name, b.Name)) })
	f.Routes, f.Opens = shares(c.routes), shares(c.opens)
	for i, n := range c.scan {
		name := "longer"
		if i < len(scanTimes()) {
			name = fmt.Sprintf("up to %d s", scanTimes()[i]/time.Second)
		}
		f.Scan = append(f.Scan, Count{name, n})
	}
	return f
}

func shares(m map[string]Share) []Share {
	var all []Share
	for _, s := range m {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Share) int { return cmp.Or(b.Of-a.Of, cmp.Compare(a.Name, b.Name)) })
	return all
}
