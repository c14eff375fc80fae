package record

import "github.com/handoff-portal/handoff/internal/handoff"

func storedNotice(n handoff.Notice) notice {
	return notice{
		Seq: n.Seq, Status: string(n.Status), At: n.At.UTC(), Route: string(n.Route),
		Class: string(n.Class), OS: n.OS, Confirmed: n.Confirmed, Cause: string(n.Cause),
		ClaimedAt: n.ClaimedAt.UTC(), Near: string(n.Near),
	}
}

func (n notice) domain() handoff.Notice {
	return handoff.Notice{
		Seq: n.Seq, Status: handoff.Status(n.Status), At: n.At, Route: handoff.Route(n.Route),
		Class: handoff.Class(n.Class), OS: n.OS, Confirmed: n.Confirmed, Cause: handoff.Cause(n.Cause),
		ClaimedAt: n.ClaimedAt, Near: handoff.Nearness(n.Near),
	}
}

func storedChannel(c handoff.Channel) channel {
	return channel{
		To: string(c.To), Sends: each(c.Sends, storedSend), Gone: c.Gone, Lost: c.Lost,
		Sending: at(c.Sending, storedSending), NotBefore: c.NotBefore.UTC(),
	}
}

func (c channel) domain() handoff.Channel {
	return handoff.Channel{
		To: handoff.EndpointID(c.To), Sends: each(c.Sends, send.domain), Gone: c.Gone, Lost: c.Lost,
		Sending: at(c.Sending, sending.domain), NotBefore: c.NotBefore,
	}
}

func storedSend(s handoff.Send) send {
	return send{
		Seq: s.Seq, State: string(s.State), Attempts: s.Attempts, Next: s.Next.UTC(), Last: s.Last.UTC(), Outcome: s.Outcome, Again: s.Again,
	}
}

func (s send) domain() handoff.Send {
	return handoff.Send{
		Seq: s.Seq, State: handoff.SendState(s.State), Attempts: s.Attempts, Next: s.Next, Last: s.Last, Outcome: s.Outcome, Again: s.Again,
	}
}

func storedSending(s handoff.Sending) sending {
	return sending{Seq: s.Seq, By: hash(s.By), Until: s.Until.UTC()}
}

func (s sending) domain() handoff.Sending {
	return handoff.Sending{Seq: s.Seq, By: handoff.Hash(s.By), Until: s.Until}
}
