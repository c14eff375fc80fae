package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// ReadyMade is a handoff to play with from a terminal.
type ReadyMade struct {
	ID         handoff.ID
	DisplayURL string // where the number is typed
	Link       string // what a phone opens; the route is partner, so a number is asked for
}

// MakeReady asks the portal for a handoff as the shop would, opens its display
// as a browser would, and asks for a link. That it works is the demonstration's
// own test of itself.
func MakeReady(ctx context.Context, portal string, key handoff.Secret, client *http.Client) (ReadyMade, error) {
	api := &partnerAPI{portal: portal, key: key, http: client}
	h, err := api.create(ctx, order{
		InstanceID: "Pi" + randomText(), Scope: []string{"mobile"},
		Label: "Ready made", Reference: "ready made", ExpiresIn: 86400,
	})
	if err != nil {
		return ReadyMade{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.DisplayURL, http.NoBody)
	if err != nil {
		return ReadyMade{}, fmt.Errorf("opening the display: %w", err)
	}
	req.Header.Set("User-Agent", "handoff demo")
	resp, err := client.Do(req)
	if err != nil {
		return ReadyMade{}, fmt.Errorf("opening the display: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return ReadyMade{}, fmt.Errorf("reading the display: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return ReadyMade{}, fmt.Errorf("the display answered %s", resp.Status)
	}
	link, err := api.link(ctx, h.ID)
	if err != nil {
		return ReadyMade{}, err
	}
	return ReadyMade{ID: h.ID, DisplayURL: h.DisplayURL, Link: link}, nil
}
