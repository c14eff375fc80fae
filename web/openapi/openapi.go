// Package openapi holds the description of the API under /v1: OpenAPI 3.1, written
// by hand, and held against every request and answer of web's tests.
package openapi

import (
	"bytes"
	_ "embed" // the document
)

//go:embed openapi.json
var document []byte

// The hosts in the document, of nobody.
const (
	publicURL = "https://go.example.com"
	linkURL   = "https://link.example.com"
)

// Document returns the document as it is written, with the hosts of nobody.
func Document() []byte { return bytes.Clone(document) }

// For returns the document of a portal at these addresses: its servers and all
// its examples are the portal's own. Addresses are scheme, host and port, so
// that nothing in them needs escaping.
func For(public, link string) []byte {
	b := bytes.ReplaceAll(document, []byte(publicURL), []byte(public))
	return bytes.ReplaceAll(b, []byte(linkURL), []byte(link))
}
