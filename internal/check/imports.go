package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

const module = "github.com/handoff-portal/handoff"

// house says which packages of ours each package may import: to
// internal/handoff, and from one adapter to no other. It is complete, so that a
// new package finds its place here first. .golangci.yml says part of this too,
// for editors, but linters do not look into generated code.
func house() map[string][]string {
	const (
		applink  = "internal/applink"
		config   = "internal/config"
		domain   = "internal/handoff"
		i18n     = "internal/i18n"
		message  = "internal/message"
		partner  = "internal/partner"
		phone    = "internal/phone"
		platform = "internal/platform"
		qr       = "internal/qr"
		recent   = "internal/recent"
		record   = "internal/store/record"
		reqctx   = "internal/reqctx"
		sim      = "internal/platform/platformsim"
	)
	return map[string][]string{
		"cmd/handoff": nil, // anything: it wires everything
		"internal/bench": {
			domain, partner, platform, sim, qr, i18n, "internal/attest", "internal/keyring", "internal/limit", "internal/live", "internal/stream",
			"internal/store/boltstore", "internal/store/memstore", "internal/store/redisstore", "web",
		},
		domain:                      {},
		partner:                     {domain},
		config:                      {domain, partner, applink, "internal/logo"},
		platform:                    {domain},
		sim:                         {},
		qr:                          {},
		applink:                     {domain, partner},
		"internal/attest":           {domain, "internal/keyring"},
		"internal/egress":           {},
		"internal/keyring":          {domain, recent},
		"internal/limit":            {},
		"internal/metrics":          {domain},
		"internal/operator":         {domain},
		record:                      {domain, recent},
		recent:                      {},
		"internal/store/memstore":   {domain, record},
		"internal/store/boltstore":  {domain, record},
		"internal/store/redisstore": {domain, record, "internal/store/sentinel"},
		"internal/store/sentinel":   {},
		"internal/store/storetest":  {domain},
		"internal/live":             {domain},
		"internal/logo":             {},
		"internal/live/redislive":   {domain},
		"internal/limit/redislimit": {"internal/limit"},
		"internal/porttest":         {},
		"internal/redistest":        {"internal/porttest"},
		"internal/stream":           {},
		"internal/reliability":      {},
		"internal/traces":           {domain, "internal/reqctx"},
		"internal/webhook":          {domain},
		message:                     {domain},
		i18n:                        {},
		phone:                       {domain},
		"internal/demo":             {domain, partner, phone, sim},
		"internal/doctor":           {config, domain, partner, applink, platform, message},
		reqctx:                      {},
		"web": {
			domain, partner, applink, i18n, "internal/limit", "internal/stream", "static",
			"web/api", "web/display", "web/phone", "web/viewers", "web/site", "web/openapi", "web/guide",
		},
		// One for each audience, above what they share.
		"web/api":          {domain, partner, applink, "internal/limit", "web/openapi", "web/site"},
		"web/display":      {domain, applink, i18n, qr, "internal/limit", "templates", "static", "web/site", "web/viewers"},
		"web/phone":        {domain, partner, applink, qr, "templates", "web/site", "web/viewers"},
		"web/viewers":      {domain, reqctx, "internal/stream", "web/site"},
		"web/site":         {domain, partner, applink, i18n, recent, reqctx, "internal/limit", "templates", "static"},
		"web/guide":        {domain, "static", "web/openapi"}, // pages of an audience of its own
		"web/openapi":      {},
		"templates":        {i18n},
		"static":           {},
		"internal/browser": {},
		"internal/check":   {},
		"internal/scan":    {"internal/browser"},
		"internal/screens": {},
	}
}

// importers says which packages of ours may import a framework.
func importers() map[string][]string {
	return map[string][]string{
		"github.com/labstack/echo": {"web", "web/api", "web/display", "web/phone", "web/viewers", "web/site", "web/guide", "internal/bench"},
		"github.com/gorilla":       {"web/site"},
		"github.com/a-h/templ":     {"web/display", "web/phone", "web/site", "web/guide", "templates", "internal/demo", "internal/message", "internal/operator"},
	}
}

// imports compares what packages import, their tests aside, with house.
func (c *checker) imports(ctx context.Context) verdict {
	cmd := exec.CommandContext(ctx, "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = c.root
	cmd.Env = c.environment()
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		return verdict{status: failed, reason: fmt.Sprintf("%v: %s", named("go list", err), strings.TrimSpace(faults.String()))}
	}
	var wrong []string
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		wrong = append(wrong, outward(words[0], words[1:])...)
	}
	if len(wrong) == 0 {
		return verdict{}
	}
	fmt.Fprintln(c.out, strings.Join(wrong, "\n"))
	return verdict{
		status: failed,
		reason: fmt.Sprintf("%d imports that the house does not have", len(wrong)),
		remedy: "turn the import round with an interface where it is needed, or change house in internal/check/imports.go",
	}
}

// outward lists what is wrong with the imports of one package.
func outward(path string, imports []string) []string {
	pkg := strings.TrimPrefix(path, module+"/")
	may, known := house()[pkg]
	if !known {
		return []string{pkg + ": this package has no place in the house yet"}
	}
	var wrong []string
	for _, imported := range imports {
		if ours, ok := strings.CutPrefix(imported, module+"/"); ok && may != nil && !slices.Contains(may, ours) {
			wrong = append(wrong, pkg+" must not import "+ours)
		}
		for framework, by := range importers() {
			if within(imported, framework) && !slices.Contains(by, pkg) {
				wrong = append(wrong, pkg+" must not import "+imported+": only "+strings.Join(by, " and ")+" may")
			}
		}
		standard := !strings.Contains(strings.Split(imported, "/")[0], ".")
		if pkg == "internal/handoff" && !standard {
			wrong = append(wrong, pkg+" must not import "+imported+": only the standard library")
		}
	}
	return wrong
}

// within reports whether path is tree or below it.
func within(path, tree string) bool {
	return path == tree || strings.HasPrefix(path, tree+"/")
}
