package demo

import (
	"net/http"
	"sync"
	"time"
)

const (
	visitLife = 2 * time.Hour
	maxVisits = 1000 // the oldest are forgotten: it is a demonstration
)

// visits keeps what a site knows of each browser, in memory, under the random
// value of a cookie. The zero value of T is a browser not seen before.
type visits[T any] struct {
	cookie string
	now    func() time.Time

	mu sync.Mutex // guards byID and order
	// order has the ids from the oldest on.
	byID  map[string]*visit[T]
	order []string
}

type visit[T any] struct {
	sync.Mutex // guards value

	value T
	until time.Time
}

func newVisits[T any](cookie string, now func() time.Time) *visits[T] {
	return &visits[T]{cookie: cookie, now: now, byID: make(map[string]*visit[T])}
}

// of returns the visit that a request belongs to, and starts one if there is
// none. The caller locks it.
func (v *visits[T]) of(w http.ResponseWriter, r *http.Request) *visit[T] {
	if found := v.found(r); found != nil {
		return found
	}
	id := randomText()
	fresh := &visit[T]{until: v.now().Add(visitLife)}
	v.mu.Lock()
	v.byID[id] = fresh
	v.order = append(v.order, id)
	if len(v.order) > maxVisits {
		delete(v.byID, v.order[0])
		v.order = v.order[1:]
	}
	v.mu.Unlock()
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // plain http: a Secure cookie would not come back
		Name: v.cookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(visitLife / time.Second),
	})
	return fresh
}

// found returns the visit that a request belongs to, or nil.
func (v *visits[T]) found(r *http.Request) *visit[T] {
	c, err := r.Cookie(v.cookie)
	if err != nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	found := v.byID[c.Value]
	if found == nil || !v.now().Before(found.until) {
		return nil
	}
	return found
}
