// Package phone is the reference app: what a partner's native app does with a
// code or an app link, as a client that a terminal or another program drives.
//
// It does what the integration pages ask of an app, in the same order: claim
// with a PKCE challenge, show who asks, let the person agree or say no, ask for
// the token until it comes; or redeem a pickup, with one verifier however often
// the network fails; then report. Tokens are of type handoff.Secret and are
// never printed: only their length and what a JWT says of itself.
package phone
