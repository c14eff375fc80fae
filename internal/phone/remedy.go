package phone

import "github.com/handoff-portal/handoff/internal/handoff"

// remedy says what to do about a refusal, to the person or the engineer.
func (p *ProblemError) remedy() string {
	switch p.Code {
	case handoff.CodeGone:
		return goneRemedy(p.Reason)
	case handoff.CodeNotFound:
		return "Look at the computer and scan the code that is on it now; a code that was copied must be whole"
	case handoff.CodeNotConfirmed:
		return "Type the number on the computer"
	case handoff.CodeConflict:
		return "Another phone holds this: on the computer, choose Use another phone"
	case handoff.CodeDeviceNotAllowed:
		return "The handoff's scope excludes this kind of device: try --device-type"
	case handoff.CodeRateLimited, handoff.CodePlatformUnavailable, handoff.CodeStoreUnavailable:
		return "Try again in a while; the place is kept"
	case handoff.CodeMisdirected:
		return "The portal does not go by this host name: use the public_url or link_url of its configuration"
	case handoff.CodeInvalid, handoff.CodeUnauthorized, handoff.CodeForbidden, handoff.CodePayloadTooLarge,
		handoff.CodeUnsupportedMedia, handoff.CodeIdempotencyMismatch, handoff.CodeInternal,
		handoff.CodeUnknownJourney, handoff.CodeConnectSpent, handoff.CodeConnectLost, handoff.CodeJourneyLost:
	}
	return ""
}

func goneRemedy(r handoff.Reason) string {
	switch r {
	case handoff.ReasonUsed:
		return "It works once: on the computer, choose Use another phone for a new code"
	case handoff.ReasonExpired:
		return "Its time is over: start again on the computer"
	case handoff.ReasonCancelled, handoff.ReasonRejected:
		return "Somebody stopped it: start again on the computer"
	case handoff.ReasonReplaced:
		return "A newer code took its place: scan the one on the computer now"
	case handoff.ReasonReleased:
		return "The computer let this phone go: scan the new code there"
	}
	return ""
}
