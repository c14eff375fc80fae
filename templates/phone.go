package templates

func (l Landing) heading() string {
	if l.Elsewhere {
		return l.T.T("phone.elsewhere.heading")
	}
	return l.T.T("phone.landing.heading", "partner", l.Brand.Name)
}

func (l Landing) continueText() string {
	if l.Elsewhere {
		return l.T.T("phone.elsewhere.continue")
	}
	return l.T.T("phone.landing.continue")
}

func (r Ready) heading() string {
	switch {
	case r.Installed:
		return r.T.T("phone.installed.heading")
	case r.Delivered:
		return r.T.T("phone.delivered.heading", "app", r.Brand.App)
	}
	return r.T.T("phone.ready.heading")
}

func (r Ready) text() string {
	switch {
	case r.Installed:
		return r.T.T("phone.installed.kept", "n", max(1, int(r.Kept.Minutes())))
	case r.Delivered:
		return r.T.T("phone.delivered.text")
	}
	return r.T.T("phone.ready.text", "app", r.Brand.App)
}

// help is the first step for one way of opening the app.
func (w OpenWay) help(p Page) string {
	switch w {
	case OpenHold:
		return p.T.T("phone.help.hold", "app", p.Brand.App)
	case OpenBanner:
		return p.T.T("phone.help.banner")
	case OpenIntent:
		return p.T.T("phone.help.intent", "app", p.Brand.App)
	case OpenTap:
	}
	return p.T.T("phone.help.tap")
}

func (i InApp) name() string {
	if i.App == "" {
		return i.T.T("phone.inapp.unknown")
	}
	return i.App
}

func (n NoticePage) heading() string {
	switch n.Notice {
	case NoticeOldCode:
		return n.T.T("phone.old_code.heading")
	case NoticeEnded:
		return n.T.T("phone.ended.heading")
	case NoticeStopped:
		return n.T.T("phone.stopped.heading")
	case NoticeAway:
		return n.T.T("phone.away.heading")
	case NoticeConnecting:
		return n.T.T("phone.connecting.heading")
	case NoticeOtherPhone:
		return n.T.T("phone.other_phone.heading")
	case NoticeInApp:
		return n.T.T("phone.delivered.heading", "app", n.Brand.App)
	case NoticeElsewhere:
		return n.T.T("phone.returned.heading")
	case NoticeWrongNumber:
		return n.T.T("phone.wrong_number.heading")
	}
	return ""
}

func (n NoticePage) text() string {
	switch n.Notice {
	case NoticeOldCode:
		return n.T.T("phone.old_code.text")
	case NoticeEnded:
		return n.T.T("phone.ended.text")
	case NoticeStopped:
		return n.T.T("phone.stopped.text")
	case NoticeAway:
		return n.T.T("phone.away.text")
	case NoticeConnecting:
		return n.T.T("phone.connecting.text")
	case NoticeOtherPhone:
		return n.T.T("phone.other_phone.text")
	case NoticeInApp:
		return n.T.T("display.delivered.text")
	case NoticeElsewhere:
		return n.T.T("phone.returned.text", "partner", n.Brand.Name)
	case NoticeWrongNumber:
		return n.T.T("phone.wrong_number.text")
	}
	return ""
}

func (n NoticePage) symbol() string {
	switch n.Notice {
	case NoticeOldCode, NoticeWrongNumber:
		return "computer"
	case NoticeEnded, NoticeStopped:
		return "stop"
	case NoticeAway, NoticeConnecting:
		return "clock"
	case NoticeInApp:
		return "app"
	case NoticeOtherPhone, NoticeElsewhere:
		return "phone"
	}
	return "info"
}

// problem says what is wrong with a typed code, or nothing.
func (t Typed) problem() string {
	switch {
	case t.Wait:
		return t.T.T("phone.typed.wait")
	case t.Wrong:
		return t.T.T("phone.typed.wrong")
	}
	return ""
}

func (e ErrorPage) heading() string {
	switch e.Status {
	case 403:
		return e.T.T("error.forbidden.heading")
	case 410:
		return e.T.T("error.gone.heading")
	case 421:
		return e.T.T("error.misdirected.heading")
	case 429:
		return e.T.T("error.rate_limited.heading")
	case 503:
		return e.T.T("error.unavailable.heading")
	}
	if e.Status >= 500 {
		return e.T.T("error.internal.heading")
	}
	return e.T.T("error.not_found.heading")
}

func (e ErrorPage) text() string {
	switch e.Status {
	case 403:
		return e.T.T("error.forbidden.text")
	case 410:
		return e.T.T("error.gone.text")
	case 421:
		return e.T.T("error.misdirected.text")
	case 429:
		return e.T.T("error.rate_limited.text")
	case 503:
		return e.T.T("error.unavailable.text")
	}
	switch {
	case e.Status >= 500 && e.SupportRef != "":
		return e.T.T("error.internal.text")
	case e.Status >= 500:
		return e.T.T("error.internal.text_plain")
	}
	return e.T.T("error.not_found.text")
}
