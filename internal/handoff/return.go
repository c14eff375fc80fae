package handoff

import (
	"net/url"
	"slices"
	"strings"
)

// ReturnURL is where people go on to once h has ended: what the partner gave, with
// the handoff and its status added, which are a hint; the API is the truth. Empty
// before an end, or where the partner gave nothing.
func (h Handoff) ReturnURL() string {
	if h.Terms.ReturnURL == "" || !h.Status.Ended() {
		return ""
	}
	u, err := url.Parse(h.Terms.ReturnURL)
	if err != nil {
		return "" // it was checked when the handoff was created
	}
	ours := []string{"handoff=" + url.QueryEscape(string(h.ID)), "status=" + url.QueryEscape(string(h.Status))}
	if h.Cause == CauseNoPhone {
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
