package templates

// Slots returns the texts of the state JSON's "slots": the changing sentences of
// every screen, ready to show, in the page's language.
func (s State) Slots(p Page) map[string]string { return map[string]string{} }
