package browser

import (
	"context"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Offline takes the network away from the page: new requests fail, and the page is
// told so. Streams that are open survive it: cut the server's side too. online gives
// it back.
func (p *Page) Offline() (online func()) {
	p.t.Helper()
	set := func(off bool) {
		p.t.Helper()
		do(p, "switching the network", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			all := []*network.Conditions{{Offline: off, DownloadThroughput: -1, UploadThroughput: -1}}
			if _, err := cdp.Call(ctx, t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: all}); err != nil {
				return err
			}
			_, err := cdp.Call(ctx, t, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: off, DownloadThroughput: -1, UploadThroughput: -1})
			return err
		}))
	}
	set(true)
	return func() {
		p.t.Helper()
		set(false)
	}
}

// Freeze stops all that the page does, as a computer that goes to sleep. wake goes on.
func (p *Page) Freeze() (wake func()) {
	p.t.Helper()
	set := func(state page.SetWebLifecycleStateState) {
		p.t.Helper()
		do(p, "putting a page to sleep", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: state})
			return err
		}))
	}
	set(page.SetWebLifecycleStateStateFrozen)
	return func() {
		p.t.Helper()
		set(page.SetWebLifecycleStateStateActive)
	}
}

// Crash kills the process that shows the page. Nothing can be done with it afterwards
// but to open another Tab.
func (p *Page) Crash() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Second)
	defer cancel()
	// A process that dies gives no answer.
	_ = chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.Crash, cdp.Empty{})
		return err
	}))
}
