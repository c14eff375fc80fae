package guide

import "github.com/a-h/templ"

// page is a page of the guide, in the order in which it is read.
type page struct {
	path  string // after /docs
	title string
	about string // one sentence, for the contents
	body  func(view) templ.Component
}

func pages() []page {
	return []page{
		{"", "Overview", "What the portal does, and what you write.", overview},
		{"/quick-start", "Quick start", "From a key to a finished handoff, in a terminal.", quickStart},
		{"/embed", "Embed", "The display as a part of your page.", embedding},
		{"/webhooks", "Webhooks", "Be told of every step, and check who tells you.", webhooks},
		{"/app", "The app", "What your native app does, and what can go wrong.", appSide},
		{"/ios", "iOS", "Universal links, and a client in Swift.", ios},
		{"/android", "Android", "App Links, and a client in Kotlin.", android},
		{"/without-the-app", "Without the app", "The store, an App Clip, a web app.", withoutTheApp},
		{"/bridge-sdk", "Bridge SDK", "Apps that connect to the platform by themselves.", bridge},
		{"/states", "States", "Every status of a handoff, and what leads to it.", states},
		{"/api", "API reference", "Every operation, field and answer.", reference},
		{"/errors", "Errors", "Every problem the API answers with, and what to do.", failures},
		{"/configuration", "Configuration", "Every setting of the portal.", configuration},
		{"/going-live", "Going live", "What to check before people come.", goingLive},
	}
}

// view is what a page shows.
type view struct {
	Config

	title          string
	contents       []entry
	previous, next *entry
	samples        map[string]sample
	document       *document
}

// entry is a line of the contents.
type entry struct {
	title, about string
	url          templ.SafeURL
	current      bool
}
