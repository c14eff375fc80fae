package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// vulnDatabase is the list of known vulnerabilities that govulncheck reads.
const vulnDatabase = "https://vuln.go.dev"

// vuln looks for known vulnerabilities that this code reaches. Where the
// database is out of reach this says so and passes no judgement, in CI too: a
// machine without that network has not found a fault, and has not excluded one.
func (c *checker) vuln(ctx context.Context) verdict {
	remedy := "go run ./internal/check -only vuln, where " + vulnDatabase + " can be reached"
	if err := reachable(ctx, vulnDatabase+"/index/db.json"); err != nil {
		return verdict{
			status: skipped,
			reason: "known vulnerabilities were NOT looked for: " + err.Error(),
			remedy: remedy,
		}
	}
	return c.withTool(ctx, govulncheck, "take the version of the module that the report names", "./...")
}

// reachable reports as an error that address cannot be fetched in a few
// seconds.
func reachable(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return fmt.Errorf("asking for %s: %w", address, err)
	}
	client := &http.Client{}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("reaching the database: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", address, res.Status)
	}
	return nil
}
