package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/phone"
)

func (p *press) preview(ctx context.Context) error {
	link, err := p.shopLink(ctx)
	if err != nil {
		return err
	}
	bot := p.another(previewAgent)
	if err := bot.send(ctx, p.trace, http.MethodHead, link, nil); err != nil {
		return err
	}
	if err := bot.visit(ctx, p.trace, link); err != nil {
		return err
	}
	got, err := bot.request(ctx, http.MethodGet, bot.at.String(), nil, http.Header{"Sec-Purpose": {"prefetch"}})
	if err != nil {
		return err
	}
	p.say("GET %s as a prefetch → %d", plain(got.at), got.status)
	return nil
}

func (p *press) scanner(ctx context.Context) error {
	link, err := p.shopLink(ctx)
	if err != nil {
		return err
	}
	p.link = "" // spent by what follows
	bot := p.another(androidAgent)
	if err := bot.visit(ctx, p.trace, link); err != nil {
		return err
	}
	for _, button := range []string{"continue", "reject", "reject-sure"} {
		if err := bot.press(ctx, p.trace, button); err != nil {
			return err
		}
	}
	return nil
}

func (p *press) second(ctx context.Context) error {
	link, err := p.shopLink(ctx)
	if err != nil {
		return err
	}
	p.other = p.another(androidAgent)
	return p.takeUp(ctx, p.other, link)
}

func (p *press) notMe(ctx context.Context) error {
	h := p.first()
	if h.claim != nil {
		if err := h.app.Reject(ctx, *h.claim); err != nil {
			return err
		}
		p.say("app: POST /v1/claims/…/reject → 204")
		return nil
	}
	at := h.owned
	if at == "" {
		link, err := p.photograph(ctx)
		if err != nil {
			return err
		}
		at = link
	}
	if err := h.visit(ctx, p.trace, at); err != nil {
		return err
	}
	// The page that opens the app asks nothing any more; its address still does.
	if err := h.press(ctx, p.trace, "reject"); errors.Is(err, errNoButton) && h.owned != "" {
		err = h.send(ctx, p.trace, http.MethodPost, h.owned+"/reject", url.Values{})
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return h.press(ctx, p.trace, "reject-sure")
}

// forged alters the frame of the code on the screen: by its time, which its MAC
// vouches for.
func (p *press) forged(ctx context.Context) error {
	link, err := p.photograph(ctx)
	if err != nil {
		return err
	}
	i := strings.Index(link, ".")
	if i < 0 {
		return errors.New("this code has no frame")
	}
	step := byte('0')
	if link[i+1] == step {
		step = '1'
	}
	return p.another(safariAgent).visit(ctx, p.trace, link[:i+1]+string(step)+link[i+2:])
}

// staleAfter is how old a photograph has to be to be worth nothing.
const staleAfter = 31 * time.Second

func (p *press) stale(ctx context.Context) error {
	if p.photo == "" {
		link, err := p.photograph(ctx)
		if err != nil {
			return err
		}
		p.photo, p.taken = link, p.shop.now()
		p.say("Photographed. Press again in %d seconds.", int(staleAfter/time.Second))
		return nil
	}
	if left := staleAfter - p.shop.now().Sub(p.taken); left > 0 {
		p.say("The photograph is too new to be old. Press again in %d seconds.", 1+int(left/time.Second))
		return nil
	}
	link := p.photo
	p.photo = ""
	return p.another(safariAgent).visit(ctx, p.trace, link)
}

func (p *press) inApp(ctx context.Context) error {
	link, err := p.shopLink(ctx)
	if err != nil {
		return err
	}
	return p.another(instagramAgent).visit(ctx, p.trace, link)
}

func (p *press) store(ctx context.Context) error {
	h := p.first()
	if err := p.findPickup(ctx, h); err != nil {
		return err
	}
	got, err := h.request(ctx, http.MethodPost, h.owned+"/store", url.Values{}, nil)
	if err != nil {
		return err
	}
	p.say("POST %s → %d, and the store opens", plain(got.at), got.status)
	return h.visit(ctx, p.trace, h.owned)
}

func (p *press) wrongNumber(ctx context.Context) error {
	right, err := p.shown(ctx)
	if err != nil {
		return err
	}
	wrong := string('0'+(right[0]-'0'+1)%10) + right[1:]
	p.say("In the frame, %s is typed instead of %s.", wrong, right)
	return p.another(deskAgent).send(ctx, p.trace, http.MethodPost, p.display+"/confirm", url.Values{"number": {wrong}})
}

// shown is the number on a phone's screen: the second phone's, if it has one.
func (p *press) shown(ctx context.Context) (string, error) {
	for _, h := range []*hand{p.other, p.phone} {
		if h == nil {
			continue
		}
		if h.claim == nil && h.owned != "" {
			if err := h.visit(ctx, p.trace, h.owned); err != nil {
				return "", err
			}
		}
		if n := h.number(); len(n) == 4 {
			return n, nil
		}
	}
	return "", errors.New("no phone shows a number now: let one open the shop's link first")
}

func (p *press) lostContinue(ctx context.Context) error {
	link, err := p.photograph(ctx)
	if err != nil {
		return err
	}
	h := p.fresh(ctx)
	if err := h.visit(ctx, p.trace, link); err != nil {
		return err
	}
	address, form, err := h.form("continue")
	if err != nil {
		return err
	}
	h.net.lose.Store(1)
	if err := h.send(ctx, p.trace, http.MethodPost, address, form); !errors.Is(err, errLost) {
		return fmt.Errorf("the answer was meant to be lost: %w", err)
	}
	if err := h.send(ctx, p.trace, http.MethodPost, address, form); err != nil {
		return err
	}
	p.sayNumber(h)
	return nil
}

func (p *press) lostPickup(ctx context.Context) error {
	h := p.first()
	if h.answer != nil {
		return errors.New("the app is open already")
	}
	if err := p.findPickup(ctx, h); err != nil {
		return err
	}
	h.net.lose.Store(1)
	a, err := h.app.PickUp(ctx, p.shop.portal, h.pickup, h.verifier) // repeats by itself
	if err != nil {
		return err
	}
	p.say("app: POST /v1/pickups again, with the same verifier → 200")
	_, err = p.another(androidAgent).app.PickUp(ctx, p.shop.portal, h.pickup, phone.NewVerifier())
	problem, ok := errors.AsType[*phone.ProblemError](err)
	if !ok {
		return fmt.Errorf("another verifier was meant to be refused: %w", err)
	}
	p.say("thief: POST /v1/pickups, with another verifier → %d %s", problem.Status, problem.Reason)
	return p.started(ctx, h, a)
}

func (p *press) cancel(ctx context.Context) error {
	if _, err := p.shop.api.cancel(ctx, p.id); err != nil {
		return err
	}
	p.say("shop: POST /v1/handoffs/…/cancel → 200")
	return nil
}

func (p *press) forgedHook(ctx context.Context) error {
	body := fmt.Sprintf(`{"type":"handoff.completed","timestamp":%q,"data":{"id":%q,"status":"completed","seq":99}}`, p.shop.now().UTC().Format(time.RFC3339), p.id)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.shop.origins[0]+hookPath, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Webhook-Id", "msg_forged")
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(p.shop.now().Unix(), 10))
	signature, _ := (&hooks{secret: newHookSecret()}).signature(req.Header, []byte(body))
	req.Header.Set("Webhook-Signature", signature)
	resp, err := p.shop.api.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	p.say("forger: POST %s → %d", hookPath, resp.StatusCode)
	return nil
}

// fault asks the stand-in for one.
func fault(body string) func(*press, context.Context) error {
	return func(p *press, ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.shop.standIn+"/_sim/faults", strings.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := p.shop.api.http.Do(req)
		if err != nil {
			return fmt.Errorf("asking the stand-in: %w", err)
		}
		defer resp.Body.Close()
		p.say("stand-in: POST /_sim/faults %s → %d", body, resp.StatusCode)
		return nil
	}
}
