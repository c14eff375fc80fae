package platform

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Times of the access token.
const (
	maxLead         = 5 * time.Minute  // the longest ahead of its end that a token is renewed; else a fifth of its life
	maxMargin       = 10 * time.Second // the longest ahead of its end that a token is not used any more; else a twentieth
	renewPause      = 10 * time.Second // between renewals in the background that fail
	refusedPause    = 2 * time.Second  // between fetches once the credential was refused: a locked account helps nobody
	unstatedAccess  = 5 * time.Minute  // life of an access token that does not say
	maxAccessLength = 16 << 10
)

// access is one access token, and its times by our clock.
type access struct {
	token   handoff.Secret
	renewAt time.Time
	endsAt  time.Time
}

// tokenSource keeps the access token. One fetch is under way at most; it runs on
// background, so that a caller who leaves does not take it from the others.
type tokenSource struct {
	background context.Context
	budget     time.Duration // of one fetch, with its attempts
	now        func() time.Time
	fetch      func(context.Context) (access, *failure)
	flight     singleflight.Group

	mu      sync.Mutex // guards what follows
	current access
	renewed time.Time // when a renewal in the background last began
}

// token returns an access token that is good now. One that is near its end is
// still given, and renewed behind the caller's back.
func (s *tokenSource) token(ctx context.Context) (handoff.Secret, *failure) {
	s.mu.Lock()
	a, now := s.current, s.now()
	soon := a.token != "" && now.Before(a.endsAt)
	behind := soon && !now.Before(a.renewAt) && now.Sub(s.renewed) >= renewPause
	if behind {
		s.renewed = now
	}
	s.mu.Unlock()
	if !soon {
		return s.renew(ctx, false)
	}
	if behind {
		s.start(false)
	}
	return a.token, nil
}

// renew waits for a new token. With anew it is fetched even if there is a fresh one.
func (s *tokenSource) renew(ctx context.Context, anew bool) (handoff.Secret, *failure) {
	select {
	case r := <-s.start(anew):
		if r.Err != nil {
			f, ok := errors.AsType[*failure](r.Err)
			if !ok {
				f = &failure{call: "token", err: errors.New("the fetch of a token broke off")}
			}
			return "", f
		}
		a, _ := r.Val.(access)
		return a.token, nil
	case <-ctx.Done():
		return "", &failure{call: "token", err: ctx.Err()}
	}
}

func (s *tokenSource) start(anew bool) <-chan singleflight.Result {
	key := "renew"
	if anew {
		key = "anew"
	}
	return s.flight.DoChan(key, func() (any, error) {
		// Between a caller's look and this fetch another may have ended.
		s.mu.Lock()
		a := s.current
		s.mu.Unlock()
		if !anew && a.token != "" && s.now().Before(a.renewAt) {
			return a, nil
		}
		ctx, cancel := context.WithTimeout(s.background, s.budget)
		defer cancel()
		a, f := s.fetch(ctx)
		if f != nil {
			return nil, f
		}
		s.mu.Lock()
		s.current, s.renewed = a, time.Time{}
		s.mu.Unlock()
		return a, nil
	})
}

// drop forgets a token the platform refused, unless it has been replaced already.
func (s *tokenSource) drop(token handoff.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.token == token {
		s.current = access{}
	}
}

// fetchToken asks the token service (RFC 6749, sections 4.3 and 4.4). The
// platform wants the client's credentials in the form, and gives no refresh token.
func (c *Client) fetchToken(ctx context.Context) (access, *failure) {
	form := url.Values{
		"grant_type":    {string(c.cfg.Grant)},
		"client_id":     {c.cfg.ClientID.Reveal()},
		"client_secret": {c.cfg.ClientSecret.Reveal()},
	}
	if c.cfg.Scope != "" {
		form.Set("scope", c.cfg.Scope)
	}
	if c.cfg.Grant == GrantPassword {
		form.Set("username", c.cfg.Username.Reveal())
		form.Set("password", c.cfg.Password.Reveal())
	}
	var a access
	f := c.run(ctx, c.auth, call{
		name: "token", url: c.cfg.TokenURL, form: true, body: []byte(form.Encode()), limit: maxAnswer, again: freely,
		read: func(body []byte, at clocks) error {
			var in struct {
				Token     word    `json:"access_token"`
				ExpiresIn seconds `json:"expires_in"`
			}
			if json.Unmarshal(body, &in) != nil || !isHeaderToken(string(in.Token), maxAccessLength) {
				return errors.New("no access token in the answer")
			}
			life := in.ExpiresIn.or(string(in.Token), at.there, unstatedAccess)
			a.token = handoff.Secret(in.Token)
			a.renewAt = at.sent.Add(life - min(life/5, maxLead))
			a.endsAt = at.sent.Add(life - min(life/20, maxMargin))
			return nil
		},
	}, "")
	if f != nil {
		if f.status == http.StatusBadRequest || f.status == http.StatusUnauthorized || f.status == http.StatusForbidden {
			c.auth.hold("token", refusedPause)
		}
		return access{}, f
	}
	return a, nil
}

// isHeaderToken reports whether s can be sent as a bearer token: printable
// ASCII without spaces, at most limit bytes.
func isHeaderToken(s string, limit int) bool {
	return s != "" && len(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
