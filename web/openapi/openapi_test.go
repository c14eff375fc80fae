package openapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/web/openapi"
)

func TestFor(t *testing.T) {
	t.Parallel()
	b := openapi.For("https://go.acme.test:8443", "https://link.acme.test")
	var doc struct {
		Servers []struct{ URL string }
		Paths   map[string]struct{ Servers []struct{ URL string } }
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatalf("For() is no JSON: %v", err)
	}
	if len(doc.Servers) != 1 || doc.Servers[0].URL != "https://go.acme.test:8443" {
		t.Errorf("servers = %+v, want the public one", doc.Servers)
	}
	if s := doc.Paths["/v1/claims"].Servers; len(s) != 2 || s[0].URL != "https://link.acme.test" || s[1].URL != "https://go.acme.test:8443" {
		t.Errorf("the servers of /v1/claims = %+v, want the link host and the public one", s)
	}
	for _, host := range []string{"go.example.com", "link.example.com"} {
		if strings.Contains(string(b), host) {
			t.Errorf("For() still speaks of %s", host)
		}
		if !strings.Contains(string(openapi.Document()), host) {
			t.Errorf("Document() speaks nowhere of %s: For has nothing to replace", host)
		}
	}
}
