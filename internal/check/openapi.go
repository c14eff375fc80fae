package main

import (
	"context"
	"path/filepath"
)

// apiDescription is what partners generate clients from.
const apiDescription = "web/openapi/openapi.json"

// openapi lints the API's description by rules that others wrote. The one against
// example.com is off: the portal puts its own hosts in its place when it serves the
// description. The linter calls nobody.
func (c *checker) openapi(ctx context.Context) verdict {
	const remedy = "install Node 20.19 or later with npm"
	if !hasProgram("node") {
		return c.missing("the API's description was NOT linted: there is no Node", remedy)
	}
	packages, err := c.npmPackages(ctx, "npm")
	if err != nil {
		return c.missing("the API's description was NOT linted: "+err.Error(), remedy)
	}
	linter := filepath.Join(packages, "node_modules", "@redocly", "cli", "bin", "cli.js")
	cmd := c.command(ctx, "node", linter, "lint", "--extends=recommended-strict", "--skip-rule=no-server-example.com", apiDescription)
	cmd.Env = append(cmd.Env, "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	return verdictOf(named("redocly lint", cmd.Run()), "")
}
