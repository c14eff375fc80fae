package record

import (
	"slices"

	"github.com/handoff-portal/handoff/internal/handoff"
)

func stored(h handoff.Handoff) handoffRecord {
	return handoffRecord{
		V:          Version,
		ID:         string(h.ID),
		Partner:    string(h.Partner),
		App:        string(h.App),
		Instance:   string(h.Instance),
		Terms:      storedTerms(h.Terms),
		SupportRef: h.SupportRef,
		CreatedAt:  h.CreatedAt.UTC(),

		Status:  string(h.Status),
		Cause:   string(h.Cause),
		Seq:     h.Seq,
		Events:  each(h.Events, storedEvent),
		EndedAt: h.EndedAt.UTC(),

		Deadline:   h.Deadline.UTC(),
		Extensions: h.Extensions,

		Contact: h.Contact,

		DisplayHash: hash(h.DisplayHash),
		DisplayKey:  h.DisplayKey,
		Asker:       storedBrowser(h.Asker),
		DisplayedAt: h.DisplayedAt.UTC(),
		Begun:       hash(h.Begun),
		FrameKeyID:  h.FrameKeyID,
		Network:     storedNetwork(h.Network),

		Codes:  each(h.Codes, storedCode),
		Claim:  at(h.Claim, storedClaim),
		Rival:  at(h.Rival, storedClaim),
		Wait:   each(h.Waiting, storedClaim),
		Former: each(h.Former, storedFormer),
		Burnt:  h.Burnt,
		Claims: h.Claims,

		Connect: at(h.Connect, storedToken),
		Work:    at(h.Work, storedWork),
		Poll:    poll{Next: h.Poll.Next.UTC(), Every: h.Poll.Every, Watched: h.Poll.Watched.UTC(), Final: h.Poll.Final},

		Confirmed: h.Confirmed,
		Report:    string(h.Report),
		Hint:      hint(h.Hint),

		Request: at(h.Request, storedRequest),

		Notices: each(h.Notices, storedNotice),
		Outbox:  each(h.Outbox, storedChannel),
	}
}

func (r handoffRecord) handoff() handoff.Handoff {
	return handoff.Handoff{
		ID:         handoff.ID(r.ID),
		Partner:    handoff.PartnerID(r.Partner),
		App:        handoff.AppID(r.App),
		Instance:   handoff.InstanceID(r.Instance),
		Terms:      r.Terms.domain(),
		SupportRef: r.SupportRef,
		CreatedAt:  r.CreatedAt,

		Status:  handoff.Status(r.Status),
		Cause:   handoff.Cause(r.Cause),
		Seq:     r.Seq,
		Events:  each(r.Events, event.domain),
		EndedAt: r.EndedAt,

		Deadline:   r.Deadline,
		Extensions: r.Extensions,

		Contact: r.Contact,

		DisplayHash: handoff.Hash(r.DisplayHash),
		DisplayKey:  r.DisplayKey,
		Asker:       r.Asker.domain(),
		DisplayedAt: r.DisplayedAt,
		Begun:       handoff.Hash(r.Begun),
		FrameKeyID:  r.FrameKeyID,
		Network:     r.Network.domain(),

		Codes:   each(r.Codes, code.domain),
		Claim:   at(r.Claim, claim.domain),
		Rival:   at(r.Rival, claim.domain),
		Waiting: each(r.Wait, claim.domain),
		Former:  each(r.Former, former.domain),
		Burnt:   r.Burnt,
		Claims:  r.Claims,

		Connect: at(r.Connect, token.domain),
		Work:    at(r.Work, work.domain),
		Poll:    handoff.Poll(r.Poll),

		Confirmed: r.Confirmed,
		Report:    handoff.Report(r.Report),
		Hint:      handoff.Hint(r.Hint),

		Request: at(r.Request, request.domain),

		Notices: each(r.Notices, notice.domain),
		Outbox:  each(r.Outbox, channel.domain),
	}
}

// each converts a slice, nil to nil.
func each[A, B any](from []A, convert func(A) B) []B {
	if len(from) == 0 {
		return nil
	}
	to := make([]B, len(from))
	for i, a := range from {
		to[i] = convert(a)
	}
	return to
}

// at converts what p points to, nil to nil.
func at[A, B any](p *A, convert func(A) B) *B {
	if p == nil {
		return nil
	}
	return new(convert(*p))
}

func storedHash(h handoff.Hash) hash { return hash(h) }
func (h hash) domain() handoff.Hash  { return handoff.Hash(h) }

func storedTerms(t handoff.Terms) terms {
	return terms{
		Scope: t.Scope, ParentOrigin: t.ParentOrigin, ReturnURL: t.ReturnURL, Locale: t.Locale, Label: t.Label,
		Reference: t.Reference, Confirmation: string(t.Confirmation), ExpiresIn: t.ExpiresIn,
		CompleteWithin: t.CompleteWithin, Retain: t.Retain, Exchange: string(t.Exchange),
		CodeMode: string(t.CodeMode), Frame: t.Frame, Routes: t.Routes,
	}
}

func (t terms) domain() handoff.Terms {
	return handoff.Terms{
		Scope: slices.Clone(t.Scope), ParentOrigin: t.ParentOrigin, ReturnURL: t.ReturnURL, Locale: t.Locale, Label: t.Label,
		Reference: t.Reference, Confirmation: handoff.Confirmation(t.Confirmation), ExpiresIn: t.ExpiresIn,
		CompleteWithin: t.CompleteWithin, Retain: t.Retain, Exchange: handoff.Exchange(t.Exchange),
		CodeMode: handoff.CodeMode(t.CodeMode), Frame: t.Frame, Routes: slices.Clone(t.Routes),
	}
}

func storedEvent(e handoff.Event) event {
	return event{Seq: e.Seq, Type: string(e.Type), At: e.At.UTC()}
}

func (e event) domain() handoff.Event {
	return handoff.Event{Seq: e.Seq, Type: handoff.EventType(e.Type), At: e.At}
}

func storedBrowser(b handoff.Browser) browser {
	return browser{Name: b.Name, OS: b.OS, Class: string(b.Class), InApp: b.InApp, Via: b.Via, From: b.Country}
}

func (b browser) domain() handoff.Browser {
	return handoff.Browser{Name: b.Name, OS: b.OS, Class: handoff.Class(b.Class), InApp: b.InApp, Via: b.Via, Country: b.From}
}

func storedNetwork(n handoff.Network) network { return network{Blind: hash(n.Blind), IPv6: n.IPv6} }

func (n network) domain() handoff.Network {
	return handoff.Network{Blind: handoff.Hash(n.Blind), IPv6: n.IPv6}
}

func storedCode(c handoff.RouteCode) code {
	return code{
		Route: string(c.Route), Hash: hash(c.Hash), Sealed: c.Sealed,
		MadeAt: c.MadeAt.UTC(), ExpiresAt: c.ExpiresAt.UTC(), Ended: string(c.Ended), Sent: at(c.Sent, storedDispatch),
	}
}

func (c code) domain() handoff.RouteCode {
	return handoff.RouteCode{
		Route: handoff.Route(c.Route), Hash: handoff.Hash(c.Hash), Sealed: c.Sealed,
		MadeAt: c.MadeAt, ExpiresAt: c.ExpiresAt, Ended: handoff.Reason(c.Ended), Sent: at(c.Sent, dispatch.domain),
	}
}

func storedDispatch(d handoff.Dispatch) dispatch {
	return dispatch{To: d.To, At: d.At.UTC(), State: string(d.State), Ticket: d.Ticket, Asked: d.Asked, Next: d.Next.UTC()}
}

func (d dispatch) domain() handoff.Dispatch {
	return handoff.Dispatch{To: d.To, At: d.At, State: handoff.DispatchState(d.State), Ticket: d.Ticket, Asked: d.Asked, Next: d.Next}
}

func storedClaim(c handoff.Claim) claim {
	return claim{
		Hash: hash(c.Hash), Route: string(c.Route), Frame: c.Frame, Here: c.Here, At: c.At.UTC(), Until: c.Until.UTC(), By: storedBrowser(c.By), Near: string(c.Near),
		Owner: hash(c.Owner), Attempt: hash(c.Attempt), ByOwner: c.ByOwner, ByAttempt: c.ByAttempt,
		Pickup: at(c.Pickup, storedPickup), Dead: each(c.Dead, storedHash), Opens: c.Opens,
		DeviceID: c.DeviceID, DeviceName: c.DeviceName, DeviceType: c.DeviceType,
		Challenge: c.Challenge, Given: at(c.Given, storedGiven),
		Number: c.Number, Tries: c.Tries, Report: hash(c.Report), ReportKey: c.ReportKey,
		Response: hash(c.Response), ResponseKey: c.ResponseKey,
		Install: hash(c.Install), InstallKey: c.InstallKey, From: storedNetwork(c.From),
	}
}

func (c claim) domain() handoff.Claim {
	return handoff.Claim{
		Hash: handoff.Hash(c.Hash), Route: handoff.Route(c.Route), Frame: c.Frame, Here: c.Here, At: c.At, Until: c.Until, By: c.By.domain(), Near: handoff.Nearness(c.Near),
		Owner: handoff.Hash(c.Owner), Attempt: handoff.Hash(c.Attempt), ByOwner: c.ByOwner, ByAttempt: c.ByAttempt,
		Pickup: at(c.Pickup, pickup.domain), Dead: each(c.Dead, hash.domain), Opens: c.Opens,
		DeviceID: c.DeviceID, DeviceName: c.DeviceName, DeviceType: c.DeviceType,
		Challenge: c.Challenge, Given: at(c.Given, given.domain),
		Number: c.Number, Tries: c.Tries, Report: handoff.Hash(c.Report), ReportKey: c.ReportKey,
		Response: handoff.Hash(c.Response), ResponseKey: c.ResponseKey,
		Install: handoff.Hash(c.Install), InstallKey: c.InstallKey, From: c.From.domain(),
	}
}

func storedFormer(f handoff.Former) former {
	return former{
		Hash: hash(f.Hash), Owner: hash(f.Owner), Reason: string(f.Reason), Cause: string(f.Cause),
		Challenge: f.Challenge, Report: hash(f.Report), Pickups: each(f.Pickups, storedHash), Install: hash(f.Install),
	}
}

func (f former) domain() handoff.Former {
	return handoff.Former{
		Hash: handoff.Hash(f.Hash), Owner: handoff.Hash(f.Owner), Reason: handoff.Reason(f.Reason), Cause: handoff.Cause(f.Cause),
		Challenge: f.Challenge, Report: handoff.Hash(f.Report), Pickups: each(f.Pickups, hash.domain), Install: handoff.Hash(f.Install),
	}
}

func storedToken(t handoff.Token) token {
	return token{Sealed: t.Sealed, MadeAt: t.MadeAt.UTC(), ExpiresAt: t.ExpiresAt.UTC()}
}

func (t token) domain() handoff.Token {
	return handoff.Token{Sealed: t.Sealed, MadeAt: t.MadeAt, ExpiresAt: t.ExpiresAt}
}

func storedPickup(p handoff.Pickup) pickup {
	return pickup{
		Hash: hash(p.Hash), Sealed: p.Sealed, Answer: p.Answer, MadeAt: p.MadeAt.UTC(), WipeAt: p.WipeAt.UTC(),
		ExpiresAt: p.ExpiresAt.UTC(), TappedAt: p.TappedAt.UTC(), Unopened: p.Unopened, UsedAt: p.UsedAt.UTC(), Verifier: hash(p.Verifier),
	}
}

func (p pickup) domain() handoff.Pickup {
	return handoff.Pickup{
		Hash: handoff.Hash(p.Hash), Sealed: p.Sealed, Answer: p.Answer, MadeAt: p.MadeAt, WipeAt: p.WipeAt,
		ExpiresAt: p.ExpiresAt, TappedAt: p.TappedAt, Unopened: p.Unopened, UsedAt: p.UsedAt, Verifier: handoff.Hash(p.Verifier),
	}
}

func storedGiven(g handoff.Given) given { return given{Answer: g.Answer, WipeAt: g.WipeAt.UTC()} }

func (g given) domain() handoff.Given { return handoff.Given{Answer: g.Answer, WipeAt: g.WipeAt} }

func storedRequest(r handoff.Request) request { return request{hash(r.Key), hash(r.Body)} }

func (r request) domain() handoff.Request {
	return handoff.Request{Key: handoff.Hash(r.Key), Body: handoff.Hash(r.Body)}
}

func storedWork(w handoff.Work) work { return work{By: hash(w.By), Until: w.Until.UTC()} }

func (w work) domain() handoff.Work { return handoff.Work{By: handoff.Hash(w.By), Until: w.Until} }
