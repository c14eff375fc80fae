package main

import (
	"strings"
	"testing"
)

func TestOutward(t *testing.T) {
	for _, test := range []struct {
		pkg, imports string
		want         string // part of the one fault; "" for none
	}{
		{"internal/handoff", "fmt net/url", ""},
		{"internal/handoff", "fmt github.com/google/go-cmp/cmp", "only the standard library"},
		{"internal/handoff", "golang.org/x/sync/errgroup", "only the standard library"},
		{"internal/store/boltstore", module + "/internal/handoff go.etcd.io/bbolt", ""},
		{"internal/store/boltstore", module + "/internal/store/memstore", "must not import internal/store/memstore"},
		{"internal/platform", module + "/internal/partner", "must not import internal/partner"},
		{"internal/live", "github.com/labstack/echo/v4", "only web and web/api and"},
		{"web/site", "github.com/labstack/echo/v4 github.com/gorilla/sessions github.com/a-h/templ", ""},
		{"web/api", module + "/internal/store/memstore", "must not import internal/store/memstore"},
		{"templates", "github.com/a-h/templ/runtime " + module + "/internal/i18n", ""},
		{"templates", module + "/internal/handoff", "must not import internal/handoff"},
		{"templates", "github.com/gorilla/sessions", "only web/site may"},
		{"cmd/handoff", module + "/web " + module + "/internal/store/boltstore", ""},
		{"cmd/handoff", "github.com/labstack/echo/v4", "only web and web/api and"},
		{"internal/utils", "fmt", "no place in the house"},
	} {
		got := outward(module+"/"+test.pkg, strings.Fields(test.imports))
		if test.want == "" && len(got) == 0 {
			continue
		}
		if test.want == "" || len(got) != 1 || !strings.Contains(got[0], test.want) {
			t.Errorf("outward(%s, %s) = %q, want one fault with %q, or none for \"\"", test.pkg, test.imports, got, test.want)
		}
	}
}

// A place that lists what has none would let everything through unseen.
func TestHouseIsClosed(t *testing.T) {
	places := house()
	for pkg, may := range places {
		for _, m := range may {
			if _, ok := places[m]; !ok {
				t.Errorf("house: %s may import %s, which has no place itself", pkg, m)
			}
		}
	}
}
