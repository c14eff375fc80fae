package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

const (
	apiLimit  = 20 * time.Second
	maxAnswer = 256 << 10 // bytes
)

// partnerAPI is the shop's client of the Partner API: all that a partner's
// backend needs.
type partnerAPI struct {
	portal string
	key    handoff.Secret
	http   *http.Client
}

// order is the body of POST /v1/handoffs.
type order struct {
	InstanceID   string        `json:"instanceId,omitempty"`
	Journey      *journeyOrder `json:"journey,omitempty"`
	Scope        []string      `json:"scope,omitempty"`
	App          string        `json:"app,omitempty"`
	ParentOrigin string        `json:"parentOrigin,omitempty"`
	ReturnURL    string        `json:"returnUrl,omitempty"`
	Locale       string        `json:"locale,omitempty"`
	Label        string        `json:"label,omitempty"`
	Reference    string        `json:"reference,omitempty"`
	Confirmation string        `json:"confirmation,omitempty"`
	ExpiresIn    any           `json:"expiresIn,omitempty"` // seconds; in the playground, whatever was typed
	Contact      *contactOrder `json:"contact,omitempty"`
}

type journeyOrder struct {
	ResourceID string `json:"resourceId,omitempty"`
	Context    any    `json:"context,omitempty"` // an object; in the playground, whatever was typed
}

type contactOrder struct {
	Phone string `json:"phone,omitempty"`
	Email string `json:"email,omitempty"`
}

// record is a handoff as the Partner API tells it.
type record struct {
	ID         handoff.ID     `json:"id"`
	Status     handoff.Status `json:"status"`
	DisplayURL string         `json:"displayUrl"`
	InstanceID string         `json:"instanceId"`
	Route      string         `json:"route"`
	Device     *struct {
		Class string `json:"class"`
		OS    string `json:"os"`
	} `json:"device"`
	Confirmed  string    `json:"confirmed"`
	Reason     string    `json:"reason"`
	Reference  string    `json:"reference"`
	SupportRef string    `json:"supportRef"`
	CreatedAt  time.Time `json:"createdAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
	Events     []struct {
		Type string    `json:"type"`
		At   time.Time `json:"at"`
	} `json:"events"`
}

// create asks for a handoff.
func (a *partnerAPI) create(ctx context.Context, o order) (record, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return record{}, fmt.Errorf("encoding an order: %w", err)
	}
	var r record
	return r, a.call(ctx, http.MethodPost, "/v1/handoffs", body, &r)
}

// link asks for a link to send in the shop's own message.
func (a *partnerAPI) link(ctx context.Context, id handoff.ID) (string, error) {
	var l struct {
		URL string `json:"url"`
	}
	return l.URL, a.call(ctx, http.MethodPost, "/v1/handoffs/"+url.PathEscape(string(id))+"/links", []byte("{}"), &l)
}

// byID reads one handoff: the truth, whatever an address says.
func (a *partnerAPI) byID(ctx context.Context, id handoff.ID) (record, error) {
	var r record
	return r, a.call(ctx, http.MethodGet, "/v1/handoffs/"+url.PathEscape(string(id)), nil, &r)
}

// cancel ends a handoff.
func (a *partnerAPI) cancel(ctx context.Context, id handoff.ID) (record, error) {
	var r record
	return r, a.call(ctx, http.MethodPost, "/v1/handoffs/"+url.PathEscape(string(id))+"/cancel", nil, &r)
}

// recent lists the latest handoffs.
func (a *partnerAPI) recent(ctx context.Context) ([]record, error) {
	var page struct {
		Items []record `json:"items"`
	}
	return page.Items, a.call(ctx, http.MethodGet, "/v1/handoffs?limit=10", nil, &page)
}

func (a *partnerAPI) call(ctx context.Context, method, path string, body []byte, out any) error {
	resp, err := a.send(ctx, method, path, body, randomText())
	if err != nil {
		return err
	}
	if resp.Status < 200 || resp.Status > 299 {
		var p struct{ Title, Detail string }
		_ = json.Unmarshal(resp.Body, &p) // what is not JSON has no detail
		return &apiError{status: resp.Status, text: fmt.Sprintf("the portal answered %d %s: %s", resp.Status, http.StatusText(resp.Status), strings.TrimSuffix(p.Title+": "+p.Detail, ": "))}
	}
	if err := json.Unmarshal(resp.Body, out); err != nil {
		return fmt.Errorf("decoding the portal's answer: %w", err)
	}
	return nil
}

// answered is what the portal said, whatever it said.
type answered struct {
	Status int
	Header http.Header
	Body   []byte
}

// send makes one call. The idempotency key makes a repeat after a lost answer the
// same handoff.
func (a *partnerAPI) send(ctx context.Context, method, path string, body []byte, idempotency string) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, apiLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.portal+path, bytes.NewReader(body)) //nolint:gosec // the portal is ours, and ids in paths are ones it gave us
	if err != nil {
		return answered{}, fmt.Errorf("asking the portal: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+a.key.Reveal())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		if idempotency != "" {
			req.Header.Set("Idempotency-Key", idempotency)
		}
	}
	resp, err := a.http.Do(req) //nolint:gosec // as above
	if err != nil {
		return answered{}, fmt.Errorf("asking the portal: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answered{}, fmt.Errorf("reading the portal's answer: %w", err)
	}
	return answered{resp.StatusCode, resp.Header, text}, nil
}

// apiError is a refusal of the portal's.
type apiError struct {
	status int
	text   string
}

func (e *apiError) Error() string { return e.text }

// randomText returns 128 random bits, base64url.
func randomText() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
