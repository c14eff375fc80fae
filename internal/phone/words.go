package phone

import (
	"fmt"
	"time"
)

// Sentence tells the person who asks, what for, from where and since when.
func (c Context) Sentence(now time.Time) string {
	who := c.Partner
	if who == "" {
		who = "Somebody"
	}
	s := who + " asks you to carry on here"
	if c.Label != "" {
		s += " with “" + c.Label + "”"
	}
	if c.RequestedAt.IsZero() {
		return s + "."
	}
	since := ago(now.Sub(c.RequestedAt))
	switch {
	case c.Browser != "" && c.OS != "":
		return fmt.Sprintf("%s. It was asked for in %s on %s, %s.", s, c.Browser, c.OS, since)
	case c.Browser != "" || c.OS != "":
		return fmt.Sprintf("%s. It was asked for on %s, %s.", s, c.Browser+c.OS, since)
	}
	return s + ". It was asked for " + since + "."
}

// ago says how long ago something was, as people say it.
func ago(d time.Duration) string {
	if d < 45*time.Second {
		return "just now"
	}
	return inWords(d) + " ago"
}

// inWords says a length of time in its largest unit.
func inWords(d time.Duration) string {
	unit, n := "second", int(d/time.Second)
	switch {
	case d >= 48*time.Hour:
		unit, n = "day", int(d/(24*time.Hour))
	case d >= 90*time.Minute:
		unit, n = "hour", int(d.Round(time.Hour)/time.Hour)
	case d >= 100*time.Second:
		unit, n = "minute", int(d.Round(time.Minute)/time.Minute)
	case d >= 45*time.Second:
		unit, n = "minute", 1
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
