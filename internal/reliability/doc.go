// Package reliability plays many handoffs through the real program while things
// break: processes are killed and restarted, Redis is restarted and fails over. It
// holds tests only. docs/reliability.md has the figures of the long form.
package reliability
