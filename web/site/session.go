package site

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"regexp"
	"time"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Cookies is the session of a phone's browser: a cookie with an opaque id,
// and nothing stored anywhere. This file alone touches gorilla/sessions.
type Cookies struct {
	name  string
	store *idStore
}

// cookieLasts is the longest a handoff can be on its way.
const cookieLasts = handoff.MaxExpiresIn

// NewCookies returns the cookies of phones; secure, where the portal is on https.
func (s *Site) NewCookies() *Cookies {
	name, secure := "handoff-phone", s.public.Scheme == "https"
	if secure {
		name = "__Host-" + name
	}
	return &Cookies{name: name, store: &idStore{options: sessions.Options{
		Path: "/", MaxAge: int(cookieLasts / time.Second), Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}}}
}

// Owner returns the id of this browser, giving it one first if it has none.
func (k *Cookies) Owner(c echo.Context) (handoff.Secret, error) {
	session, err := k.store.Get(c.Request(), k.name)
	if err != nil {
		return "", err
	}
	if session.IsNew {
		if err := session.Save(c.Request(), c.Response()); err != nil {
			return "", err
		}
		session.IsNew = false
	}
	return handoff.Secret(session.ID), nil
}

// Coming returns the id of this browser, or the one that Owner would give it.
func (k *Cookies) Coming(c echo.Context) (handoff.Secret, error) {
	session, err := k.store.Get(c.Request(), k.name)
	if err != nil {
		return "", err
	}
	return handoff.Secret(session.ID), nil
}

// Known returns the id that this browser came with, or an empty one.
func (k *Cookies) Known(c echo.Context) handoff.Secret {
	session, err := k.store.Get(c.Request(), k.name)
	if err != nil || session.IsNew {
		return ""
	}
	return handoff.Secret(session.ID)
}

// idStore implements sessions.Store with the id itself as the cookie: 256 random
// bits need no signature, and there is nothing to read in them.
type idStore struct {
	options sessions.Options
}

var _ sessions.Store = (*idStore)(nil)

var idForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// Get returns the request's session, the same one for the whole request.
func (s *idStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New returns the session of the cookie that came with r, or one with a new id.
func (s *idStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	options := s.options
	session.Options = &options
	if cookie, err := r.Cookie(name); err == nil && idForm.MatchString(cookie.Value) {
		session.ID = cookie.Value
		return session, nil
	}
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	session.ID, session.IsNew = base64.RawURLEncoding.EncodeToString(b[:]), true
	return session, nil
}

// Save sets the cookie.
func (s *idStore) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	http.SetCookie(w, sessions.NewCookie(session.Name(), session.ID, session.Options))
	return nil
}
