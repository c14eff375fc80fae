package demo_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/handoff-portal/handoff/internal/demo"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// The shop shows what it is told, once for each, in order; what the published
// library did not sign for it, an old recording and a changed byte it refuses.
func TestShopVerifiesWebhooks(t *testing.T) {
	p := newPortal(t)
	shop, err := demo.NewShop(demo.ShopConfig{
		PortalURL: p.URL, Origins: []string{"http://localhost:8081"}, Key: "shop-key", HookSecret: hookSecret, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	b := browse(t, shop)
	b.post("/open", url.Values{"where": {"frame"}})

	deliver := func(secret, id string, at time.Time, body, sent string) int {
		t.Helper()
		wh, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := wh.Sign(id, at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader(sent))
		req.Header.Set("webhook-id", id)
		req.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		req.Header.Set("webhook-signature", "v1,bm90IHRoaXMgb25l v2,x "+signature)
		w := httptest.NewRecorder()
		shop.ServeHTTP(w, req)
		return w.Code
	}
	body := func(status, seq string) string {
		return `{"type":"handoff.` + status + `","data":{"id":"ho_one","status":"` + status + `","seq":` + seq + `}}`
	}
	const other = "whsec_YW5vdGhlciBzZWNyZXQgdGhhdCBub2JvZHkga25vd3M="
	now := time.Now()
	for _, tt := range []struct {
		name, secret, id string
		at               time.Time
		body, sent       string
		want             int
	}{
		{"the second", hookSecret, "msg_2", now, body("displayed", "2"), body("displayed", "2"), http.StatusNoContent},
		{"the first, late", hookSecret, "msg_1", now, body("created", "1"), body("created", "1"), http.StatusNoContent},
		{"the first again", hookSecret, "msg_1", now, body("created", "1"), body("created", "1"), http.StatusNoContent},
		{"another secret", other, "msg_3", now, body("failed", "3"), body("failed", "3"), http.StatusUnauthorized},
		{"a changed byte", hookSecret, "msg_3", now, body("failed", "3"), body("failed", "4"), http.StatusUnauthorized},
		{"an old one", hookSecret, "msg_3", now.Add(-time.Hour), body("failed", "3"), body("failed", "3"), http.StatusUnauthorized},
		{"one of tomorrow", hookSecret, "msg_3", now.Add(time.Hour), body("failed", "3"), body("failed", "3"), http.StatusUnauthorized},
		{"no event", hookSecret, "msg_3", now, "hello", "hello", http.StatusBadRequest},
	} {
		if got := deliver(tt.secret, tt.id, tt.at, tt.body, tt.sent); got != tt.want {
			t.Errorf("POST /hooks with %s = %d, want %d", tt.name, got, tt.want)
		}
	}
	_, page := b.get("/done?handoff=ho_one")
	first, second := strings.Index(page, "handoff.created · number 1, signature verified, came 2 times"), strings.Index(page, "handoff.displayed · number 2, signature verified<")
	if first < 0 || second < first || strings.Contains(page, "handoff.failed") {
		t.Errorf("GET /done = %q, want created twice and displayed once, in this order", page)
	}
}

// A shop without a secret believes nobody.
func TestShopWithoutSecret(t *testing.T) {
	shop := newShop(t, newPortal(t))
	req := httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader("{}"))
	req.Header.Set("webhook-timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	w := httptest.NewRecorder()
	shop.ServeHTTP(w, req)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("POST /hooks of a shop without a secret = %d, want 401", w.Code)
	}
}
