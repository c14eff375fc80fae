package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/handoff-portal/handoff/internal/operator"
)

type showCommand struct {
	insider

	Handoff string `arg:"positional,required" help:"Its id, or the reference on the person's screen."`
}

// Help is shown by handoff show --help.
func (showCommand) Help() string {
	return `Tells what became of a handoff, step by step, and what to tell the person who asks. It asks the running portal, on its internal listener, and shows no code, no link and nothing of the person.

Examples:

	handoff show 7K3QXF
	handoff show ho_2c5uO0bKq1tZ3Qw8yVxJrA --json`
}

// Run asks and prints.
func (c *showCommand) Run(e *environment) error {
	var t operator.Timeline
	if err := c.ask(e.ctx, http.MethodGet, "/handoffs/"+url.PathEscape(c.Handoff), nil, &t); err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(e.out)
		enc.SetIndent("", "  ")
		return enc.Encode(t)
	}
	return printTimeline(e.out, t)
}

// printTimeline writes a timeline for people.
func printTimeline(w io.Writer, t operator.Timeline) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, text string) { fmt.Fprintf(table, "%s\t%s\n", name, text) }
	status := string(t.Status)
	if t.Cause != "" {
		status += " (" + string(t.Cause) + ")"
	}
	row("Handoff", fmt.Sprintf("%s, reference for support %s", t.ID, t.SupportRef))
	row("Partner", fmt.Sprintf("%s, app %s, their reference %q", t.Partner, t.App, t.Reference))
	row("Journey", string(t.Instance))
	row("Status", status)
	row("Open", fmt.Sprintf("from %s to %s", t.CreatedAt.Format(time.RFC3339), t.ExpiresAt.Format(time.RFC3339)))
	if t.Computer != "" {
		row("Computer", t.Computer)
	}
	if p := t.Phone; p != nil {
		row("Phone", words(p))
	}
	fmt.Fprintln(table)
	for _, e := range t.Events {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", e.At.Format("15:04:05.000"), e.Seq, e.Type, e.About)
	}
	fmt.Fprintln(table)
	for _, c := range t.Codes {
		state := "live"
		if !c.Live {
			state = "ended: " + c.Ended
		}
		fmt.Fprintf(table, "code by %s\tmade %s\t%s\n", c.Route, c.MadeAt.Format("15:04:05"), state)
	}
	if h := t.Webhooks; h != (operator.Webhooks{}) {
		fmt.Fprintf(table, "webhooks\t%d delivered, %d waiting, %d given up, %d dropped\t(handoff webhooks list %s)\n", h.Delivered, h.Waiting, h.Failed, h.Lost, t.SupportRef)
	}
	fmt.Fprintf(table, "\nWhat to say\t%s\n", t.Advice)
	return table.Flush()
}

// words says how a phone came and what became of it.
func words(p *operator.Phone) string {
	s := fmt.Sprintf("%s, by %s at %s", p.Device, p.Route, p.At.Format("15:04:05"))
	if p.Native {
		s += ", in the app"
	}
	switch {
	case p.Confirmed == "number":
		s += ", confirmed by the number"
	case p.Confirmed == "scan":
		s += ", confirmed by its fresh scan"
	case p.Confirmed != "":
		s += ", confirmed"
	case p.Asked:
		s += ", the number not typed yet"
	}
	if p.Report != "" {
		s += ", the app said: " + string(p.Report)
	}
	return s
}
