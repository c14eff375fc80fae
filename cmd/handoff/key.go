package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/partner"
)

type keyCommand struct {
	Partner *keyPartner `arg:"subcommand" help:"A partner's API key, and the line for the configuration."`
	Server  *keyServer  `arg:"subcommand" help:"A server key: 32 random bytes, base64."`
	Webhook *keyWebhook `arg:"subcommand" help:"A webhook secret, whsec_…"`
}

// Help is shown by handoff key --help.
func (keyCommand) Help() string {
	return `Alone it makes one of each, for a first configuration.

Examples:

	handoff key
	handoff key partner
	HANDOFF_KEY=$(handoff key server) handoff serve --config handoff.yaml
	handoff key webhook > acme-hook.secret

A key is printed once and kept nowhere.`
}

// Run prints one of each, with its name.
func (keyCommand) Run(e *environment) error {
	key := partner.NewKey()
	_, err := fmt.Fprintf(e.out, "server key:     %s\npartner key:    %s\nits hash:       %s\nwebhook secret: %s\n",
		keyring.Generate(), key.Reveal(), partner.KeyHashText(key), newWebhookSecret())
	return err
}

type keyPartner struct{}

// Run prints a key for the partner and its hash for us.
func (keyPartner) Run(e *environment) error {
	key := partner.NewKey()
	_, err := fmt.Fprintf(e.out, "key:  %s\nhash: %s\n", key.Reveal(), partner.KeyHashText(key))
	if err == nil {
		fmt.Fprintln(e.errs, `The key goes to the partner, by a safe way. The hash goes into the configuration, under "keys".`)
	}
	return err
}

type keyServer struct{}

// Run prints a server key alone, ready for a variable or a file.
func (keyServer) Run(e *environment) error {
	_, err := fmt.Fprintln(e.out, keyring.Generate())
	return err
}

type keyWebhook struct{}

// Run prints a webhook secret alone.
func (keyWebhook) Run(e *environment) error {
	_, err := fmt.Fprintln(e.out, newWebhookSecret())
	return err
}

// newWebhookSecret has the form of Standard Webhooks 1.0.0.
func newWebhookSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(b)
}
