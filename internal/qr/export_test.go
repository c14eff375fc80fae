package qr

// MaxVersion is the largest version of our own encoder.
const MaxVersion = maxVersion

// Segment is a part of a content in one mode, for tests that choose them.
type Segment struct {
	Text   string
	Octets bool
}

// Shortest returns the segments that Encode would take.
func Shortest(content string, version int) (segments []Segment, bits int) {
	s, bits := shortest(content, version)
	for i := 0; i < len(content); {
		end := s.end(i, len(content))
		segments = append(segments, Segment{content[i:end], s.mode(i) == octets})
		i = end
	}
	return segments, bits
}

// Capacity is how many bits of data a version holds at a level, 0 for L to 3 for H.
func Capacity(version, at int) int { return 8 * standard.layouts[version].capacity(level(at)) }

func divided(segments []Segment) (content string, s segmentation) {
	for _, part := range segments {
		for range part.Text {
			if part.Octets {
				s.set(len(content))
			}
			content += " "
		}
		content = content[:len(content)-len(part.Text)] + part.Text
	}
	return content, s
}

// Length is how many bits segments take.
func Length(segments []Segment, version int) int {
	content, s := divided(segments)
	return s.length(content, version)
}

// EncodeAs makes a code of these segments, this version and level, with the mask
// that the encoder prefers.
func EncodeAs(segments []Segment, version, at int) Code {
	content, s := divided(segments)
	var c Code
	c.encode(content, &s, version, level(at))
	return c
}

// Masked makes the same with one mask.
func Masked(segments []Segment, version, at, mask int) Code {
	content, s := divided(segments)
	l := &standard.layouts[version]
	var g framed
	g.place(l, content, &s, version, level(at))
	g.mask(l, level(at), mask)
	c := Code{side: l.side}
	copy(c.rows[:l.side], g[margin:])
	return c
}
