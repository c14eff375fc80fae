package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

type webhooksCommand struct {
	List   *webhooksList   `arg:"subcommand" help:"What a handoff's endpoints were told, or all that the endpoints of partners did not take."`
	Replay *webhooksReplay `arg:"subcommand" help:"Send a handoff's notices again."`
}

// Help is shown by handoff webhooks --help.
func (webhooksCommand) Help() string {
	return `Asks the running portal, on its internal listener.

Examples:

	handoff webhooks list ho_2c5uO0bKq1tZ3Qw8yVxJrA
	handoff webhooks list 7K3QXF --json            # by the reference on the person's screen
	handoff webhooks list                          # what was given up
	handoff webhooks list --partner acme           # what was given up of one partner's
	handoff webhooks list --partner acme --state waiting
	handoff webhooks replay 7K3QXF
	handoff webhooks replay 7K3QXF --seq 4 --endpoint we_0123456789abcdef

A notice is sent eleven times in three days, and then given up. One that is sent again has the same webhook-id, by which a receiver knows that it had it already.`
}

// insider is what both commands need to ask the running portal.
type insider struct {
	Address string `default:"127.0.0.1:9090" help:"The portal's internal_listen." placeholder:"ADDR"`
	JSON    bool   `help:"Print JSON."`
}

type webhooksList struct {
	insider

	Handoff string `arg:"positional" help:"Its id, or its support reference."`
	Partner string `help:"This partner's handoffs alone." placeholder:"ID"`
	State   string `default:"failed" help:"Without a handoff: which notices; failed, waiting or delivered."`
}

// Run lists.
func (c *webhooksList) Run(e *environment) error {
	if c.Handoff != "" && c.Partner != "" {
		return usagef("name a handoff or --partner, not both")
	}
	if err := oneOf("--state", c.State, "failed", "waiting", "delivered"); err != nil {
		return err
	}
	if c.Handoff != "" {
		return c.one(e, http.MethodGet, "/webhooks/"+url.PathEscape(c.Handoff), nil)
	}
	partners := []handoff.PartnerID{handoff.PartnerID(c.Partner)}
	if c.Partner == "" {
		if err := c.ask(e.ctx, http.MethodGet, "/partners", nil, &partners); err != nil {
			return err
		}
	}
	var all []told
	for _, id := range partners {
		some, err := c.of(e, id)
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	return c.print(e.out, all)
}

// of is what there is of one partner's.
func (c *webhooksList) of(e *environment, id handoff.PartnerID) (all []told, err error) {
	for q := (url.Values{"partner": {string(id)}, "state": {c.State}}); ; {
		var page toldPage
		if err := c.ask(e.ctx, http.MethodGet, "/webhooks?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		q.Set("cursor", page.Next)
	}
}

type webhooksReplay struct {
	insider

	Handoff  string             `arg:"positional,required" help:"Its id, or its support reference."`
	Seq      int                `help:"Only this notice; default: all that are kept." placeholder:"N"`
	Endpoint handoff.EndpointID `help:"Only to this endpoint, as list names it; default: to all." placeholder:"ID"`
}

// Run asks for everything to be sent again, and prints how things stand.
func (c *webhooksReplay) Run(e *environment) error {
	if c.Seq < 0 {
		return usagef("--seq %d: notices are numbered from 1", c.Seq)
	}
	body, err := json.Marshal(again{Seq: c.Seq, Endpoint: c.Endpoint})
	if err != nil {
		return err
	}
	return c.one(e, http.MethodPost, "/webhooks/"+url.PathEscape(c.Handoff), body)
}

// one asks about one handoff, and prints it.
func (i *insider) one(e *environment, method, path string, body []byte) error {
	var t told
	if err := i.ask(e.ctx, method, path, body, &t); err != nil {
		return err
	}
	return i.print(e.out, []told{t})
}

const (
	insideLimit  = 30 * time.Second
	insideAnswer = 16 << 20 // bytes
)

// ask asks the running portal.
func (i *insider) ask(ctx context.Context, method, path string, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, insideLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+i.Address+path, bytes.NewReader(body))
	if err != nil {
		return usagef("%q is not an address such as 127.0.0.1:9090", i.Address)
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		return fmt.Errorf("asking the portal, whose internal_listen --address names: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(i.Address, resp)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, insideAnswer))
	if err != nil {
		return fmt.Errorf("reading the portal's answer: %w", err)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("decoding the portal's answer: %w", err)
	}
	return nil
}

// refusal is what the portal said instead of answering.
func refusal(address string, resp *http.Response) error {
	var fault struct{ Error string }
	_ = json.NewDecoder(io.LimitReader(resp.Body, 4<<10)).Decode(&fault) // what is not JSON has no text
	return fmt.Errorf("the portal at %s answers %s: %s", address, resp.Status, fault.Error)
}

// print writes the list for people or for programs.
func (i *insider) print(w io.Writer, all []told) error {
	if i.JSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if all == nil {
			all = []told{}
		}
		return enc.Encode(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "Nothing.")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, t := range all {
		fmt.Fprintf(table, "%s  %s  %s  %s  %q\n", t.ID, t.SupportRef, t.Partner, t.Status, t.Reference)
		if len(t.Endpoints) == 0 {
			fmt.Fprintln(table, "  no endpoint was configured when it was created")
		}
		for _, e := range t.Endpoints {
			fmt.Fprintf(table, "  %s  %s%s\n", e.Endpoint, e.host(), e.remarks())
			for _, n := range e.Notices {
				fmt.Fprintf(table, "    %d\t%s\t%s\t%s\t%d attempts\t%s%s\n", n.Seq, n.At.Format(time.RFC3339), n.Type, n.State, n.Attempts, n.Outcome, n.when())
			}
		}
	}
	return table.Flush()
}

func (e toldEndpoint) host() string {
	if e.Host == "" {
		return "(no longer configured)"
	}
	return e.Host
}

func (e toldEndpoint) remarks() string {
	s := ""
	if e.Gone {
		s += ", gone (410)"
	}
	if e.Lost > 0 {
		s += fmt.Sprintf(", %d notices dropped unsent", e.Lost)
	}
	return s
}

func (n toldNotice) when() string {
	if n.Next == nil {
		return ""
	}
	return ", next at " + n.Next.Format(time.RFC3339)
}
