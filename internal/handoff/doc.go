// Package handoff says what a handoff is, by which rules one moves, and what
// those rules need from the world around them.
//
// A handoff is one journey instance on its way from a display to a device:
//
//	created ─ display opened, device/start ─► displayed ─ landing seen ─► opened
//	displayed, opened ─ a phone's tap, an app's claim ─► claimed
//	claimed ─ number typed, or none asked for ─► confirmed
//	confirmed ─ device/connect ─► connected ─ pickup ─► delivered
//	confirmed ─ token given straight to the app ─► delivered
//	delivered ─ the journey's state, or the partner's call ─► completed
//	claimed, confirmed, connected, delivered ─ release, lapse ─► displayed
//	anything before an end ─► expired, cancelled, rejected, replaced, failed
//
// The rules are methods on the value Handoff: each takes a handoff and a time,
// and returns the next handoff or an Error; none has side effects. Service
// drives them: it reads and writes through a Store, whose Update is an atomic
// compare-and-set, and calls the Platform between two updates, never inside one.
package handoff
