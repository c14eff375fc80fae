package qr

// A mode is how characters of a segment become bits (ISO/IEC 18004 §7.4). Digits
// have a mode of their own in the standard, which a link has too few in a row for.
type mode uint8

const (
	alphanumeric mode = iota // two characters in 11 bits
	octets                   // a character in 8 bits; the standard's byte mode
)

// longest is the most characters that a code of ours holds: version 10, level L,
// alphanumeric.
const longest = 395

// segmentation says which mode each character of a content has. One bit a
// character, set for octets.
type segmentation [(longest + 63) / 64]uint64

func (s *segmentation) set(i int)       { s[i/64] |= 1 << (i % 64) }
func (s *segmentation) mode(i int) mode { return mode(s[i/64] >> (i % 64) & 1) }

// end is the index behind the segment that begins at i.
func (s *segmentation) end(i, n int) int {
	for m := s.mode(i); i < n && s.mode(i) == m; {
		i++
	}
	return i
}

// countBits is the width of a segment's count of characters.
func countBits(m mode, version int) int {
	switch {
	case m == alphanumeric && version < 10:
		return 9
	case m == alphanumeric:
		return 11
	case version < 10:
		return 8
	}
	return 16
}

// shortest returns the modes in which content takes the fewest bits, and how many
// those are. The versions of one width of counts have the same.
//
// It looks at every content's beginning in both modes at the last character, and
// keeps the shorter way to each. Bits are counted by halves: an alphanumeric
// character takes five and a half, rounded up at the end of its segment.
func shortest(content string, version int) (segmentation, int) {
	const never = 1 << 30
	header := [2]int{alphanumeric: 2 * (4 + countBits(alphanumeric, version)), octets: 2 * (4 + countBits(octets, version))}
	var cameFrom [2]segmentation // by the mode of character i: that of the one before it
	cost := [2]int{never, never}
	for i := range len(content) {
		wide, dense := cost[octets], cost[alphanumeric]
		if i == 0 {
			wide, dense = header[octets], header[alphanumeric]
		} else {
			if begun := (dense+1)&^1 + header[octets]; begun < wide {
				wide = begun
			} else {
				cameFrom[octets].set(i)
			}
			if begun := cost[octets] + header[alphanumeric]; begun < dense {
				dense = begun
				cameFrom[alphanumeric].set(i)
			}
		}
		cost[octets] = wide + 16
		if denseValue(content[i]) < 0 {
			cost[alphanumeric] = never
		} else {
			cost[alphanumeric] = dense + 11
		}
	}
	m, total := octets, cost[octets]
	if dense := (cost[alphanumeric] + 1) &^ 1; dense <= total {
		m, total = alphanumeric, dense
	}
	var s segmentation
	for i := len(content) - 1; i >= 0; i-- {
		if m == octets {
			s.set(i)
		}
		m = cameFrom[m].mode(i)
	}
	return s, total / 2
}

// length is how many bits content takes in segments as s has them.
func (s *segmentation) length(content string, version int) int {
	n := 0
	for i := 0; i < len(content); {
		end := s.end(i, len(content))
		n += 4 + countBits(s.mode(i), version)
		if s.mode(i) == octets {
			n += 8 * (end - i)
		} else {
			n += (11*(end-i) + 1) / 2
		}
		i = end
	}
	return n
}

// denseChars are the characters of the alphanumeric mode in the order of their values.
const denseChars = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// denseValues has the value of each character in denseChars, and -1 for all others.
var denseValues = func() (values [256]int8) { //nolint:gochecknoglobals // a constant that Go has no literal for
	for i := range values {
		values[i] = -1
	}
	for i, c := range []byte(denseChars) {
		values[c] = int8(i)
	}
	return values
}()

func denseValue(c byte) int { return int(denseValues[c]) }

// bitWriter writes bits into a code's data.
type bitWriter struct {
	to   []byte
	at   int    // how many bytes are written
	held uint64 // bits not yet written, the last ones of it
	n    int    // how many, below 8 between calls
}

func (w *bitWriter) write(value, width int) {
	w.held = w.held<<width | uint64(value) //nolint:gosec // no value is negative
	w.n += width
	for w.n >= 8 {
		w.n -= 8
		w.to[w.at] = byte(w.held >> w.n) //nolint:gosec // the upper bits are written already
		w.at++
	}
}

// writeData fills to, the data of a code, with content: its segments, the end mark,
// and padding.
func writeData(to []byte, content string, s *segmentation, version int) {
	w := bitWriter{to: to}
	for i := 0; i < len(content); {
		m, end := s.mode(i), s.end(i, len(content))
		w.write(2<<m, 4) // the standard's indicators: 2 alphanumeric, 4 byte
		w.write(end-i, countBits(m, version))
		switch m {
		case octets:
			for ; i < end; i++ {
				w.write(int(content[i]), 8)
			}
		case alphanumeric:
			for ; i+1 < end; i += 2 {
				w.write(45*denseValue(content[i])+denseValue(content[i+1]), 11)
			}
			if i < end {
				w.write(denseValue(content[i]), 6)
				i++
			}
		}
	}
	w.write(0, min(4, 8*(len(to)-w.at)-w.n)) // the end mark is cut where there is no room
	if w.n > 0 {
		w.write(0, 8-w.n)
	}
	for pad := byte(0xec); w.at < len(to); pad ^= 0xec ^ 0x11 {
		to[w.at] = pad
		w.at++
	}
}
