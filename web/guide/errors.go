package guide

import (
	"github.com/a-h/templ"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// advice is what is said of a problem code.
type advice struct {
	status int
	means  string
	do     string
	retry  string // whether the same request may be sent again
}

const (
	notAsItIs  = "No: the same request is answered the same."
	afterAWait = "Yes, after the seconds that Retry-After names."
)

// adviceOn has something to say of every public code, or the exhaustive linter
// and a test fail.
func adviceOn(code handoff.Code) advice {
	switch code {
	case handoff.CodeInvalid:
		return advice{
			400, "Something in the request cannot be used. errors lists each fault: pointer is its place in the body (RFC 6901) or the name of a query parameter, detail says what is wanted.",
			"Correct the request. A field that there is not, a body that is not JSON, a second value for one parameter and a Cookie header are faults too. A return URL or parent origin must be registered in the configuration, letter for letter.", notAsItIs,
		}
	case handoff.CodeUnauthorized:
		return advice{
			401, "The partner API was called without a key, or with one that nobody has.",
			"Send Authorization: Bearer and the key. If it was replaced, ask whoever runs the portal for the new one. Never put the key into an app or a page.", notAsItIs,
		}
	case handoff.CodeForbidden:
		return advice{
			403, "This is understood and not allowed: a route that is not open to you, a page in a frame that may not hold it, or a form that came from another site.",
			"Read detail. Routes are opened in the configuration. A display is framed only by the parentOrigin named when it was created.", notAsItIs,
		}
	case handoff.CodeDeviceNotAllowed:
		return advice{
			403, "The handoff's scope does not let this kind of device connect.",
			"In an app, send the true deviceType. In your backend, create the handoff with the scope you mean: mobile, desktop, any or *. A person should be told to use a phone.", notAsItIs,
		}
	case handoff.CodeNotFound:
		return advice{
			404, "There is nothing here for you. A code, claim or handoff that is malformed, unknown, somebody else's, or long forgotten is answered alike, so that nobody can tell which.",
			"Check the address, and that the value is whole: send the whole URL of a code rather than a part of it. In an app, also check that codeVerifier is the one whose challenge was sent. Tell a person to scan the code that is on the computer now.", notAsItIs,
		}
	case handoff.CodeConflict:
		return advice{
			409, "The request does not fit the present state: another phone holds the handoff, it has ended, or the same request is being answered at this moment.",
			"Read the handoff again and act on its status. In an app, tell the person that it is open on another phone already, and that Use another phone on the computer lets it go. After an Idempotency-Key whose journey's start was lost, use another key.", "Where there is a Retry-After, after those seconds. Otherwise the state has to change first.",
		}
	case handoff.CodeNotConfirmed:
		return advice{
			409, "An app asked for the token, and the number has not been typed on the computer yet. This is no failure.",
			"Keep showing the number and ask again. Each call keeps the claim alive.", afterAWait,
		}
	case handoff.CodeGone:
		return advice{
			410, "This was good once. reason says what became of it: used, expired, cancelled, rejected, replaced or released.",
			"Tell the person to go back to the computer: after used, replaced and released there is a new code or a button for one; after expired, cancelled and rejected it starts again at your site.", notAsItIs,
		}
	case handoff.CodePayloadTooLarge:
		return advice{413, "The body is larger than 64 KB.", "Send less. The context of a journey is the only field that can be long.", notAsItIs}
	case handoff.CodeUnsupportedMedia:
		return advice{415, "The body is not declared as JSON.", "Send Content-Type: application/json.", notAsItIs}
	case handoff.CodeMisdirected:
		return advice{
			421, "The portal does not go by the host name that was called.",
			"Call the portal by the public_url or link_url of its configuration, not by an IP address or an internal name. A proxy must pass the Host header on.", notAsItIs,
		}
	case handoff.CodeIdempotencyMismatch:
		return advice{
			422, "This Idempotency-Key was used for a request with another body.",
			"Make a new key for each new request, and keep it for repeats of that very request.", "With a new key.",
		}
	case handoff.CodeRateLimited:
		return advice{
			429, "Too many requests, by this key or from this network.",
			"Wait, then go on more slowly; the limits are in the configuration. Do not poll a handoff that a webhook tells you of.", afterAWait,
		}
	case handoff.CodePlatformUnavailable:
		return advice{
			503, "The verification platform does not answer, or not usefully. Nothing is lost: the handoff keeps its place.",
			"Send the request again. In an app, keep the claim and its verifier, and say that it goes on by itself.", afterAWait,
		}
	case handoff.CodeInternal:
		return advice{
			500, "Something went wrong in the portal.",
			"Give whoever runs the portal the instance of the answer: it is the request's id in the log.", "Once or twice, a few seconds apart. A create only with an Idempotency-Key, or there may be two.",
		}
	case handoff.CodeUnknownJourney, handoff.CodeConnectSpent, handoff.CodeConnectLost, handoff.CodeJourneyLost,
		handoff.CodeStoreUnavailable: // never leave the portal
	}
	return advice{}
}

// errorURL is the page of a code, which is the type of its problems.
func errorURL(code handoff.Code) templ.SafeURL { return templ.SafeURL("/docs/errors/" + string(code)) }
