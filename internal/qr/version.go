package qr

// maxVersion is the largest version of our own encoder: its rows fit a machine word.
const (
	maxVersion = 10
	maxSide    = 17 + 4*maxVersion
	maxBytes   = 346 // data and check bytes of version 10
)

// level is how much of a code may be lost (ISO/IEC 18004 §7.5.1).
type level uint8

const (
	levelL level = iota // 7 %
	levelM              // 15 %
	levelQ              // 25 %
	levelH              // 30 %
)

// blocks is how the bytes of a version and level are divided (table 9).
type blocks struct {
	count int // the last ones may hold a byte more than the first
	check int // check bytes in each
}

// grid has a row in each word, the module at column x in bit x.
type grid [64]uint64

// layout is all that codes of one version have in common.
type layout struct {
	side   int
	total  int // bytes, data and check
	blocks [4]blocks
	// fixed are the dark modules of the patterns, data the places of the data bits.
	fixed, data grid
	// places are those of the data bits one after the other, row<<6 | column.
	places []uint16
	masks  [8]grid // what each mask turns over
}

// capacity is how many bytes of data there are at a level.
func (l *layout) capacity(at level) int {
	b := l.blocks[at]
	return l.total - b.count*b.check
}

// tables are what the standard prescribes, made once.
type tables struct {
	layouts    [maxVersion + 1]layout // by version; there is no version 0
	generators [maxCheck + 1]*multiples
	formats    [4][8]uint16 // by level and mask
}

var standard = newTables() //nolint:gochecknoglobals // constants that Go has no literals for

func newTables() *tables {
	// Bytes of a version; number of blocks and check bytes a block by level (table 9).
	sizes := [maxVersion]struct {
		total  int
		blocks [4]blocks
	}{
		{26, [4]blocks{{1, 7}, {1, 10}, {1, 13}, {1, 17}}},
		{44, [4]blocks{{1, 10}, {1, 16}, {1, 22}, {1, 28}}},
		{70, [4]blocks{{1, 15}, {1, 26}, {2, 18}, {2, 22}}},
		{100, [4]blocks{{1, 20}, {2, 18}, {2, 26}, {4, 16}}},
		{134, [4]blocks{{1, 26}, {2, 24}, {4, 18}, {4, 22}}},
		{172, [4]blocks{{2, 18}, {4, 16}, {4, 24}, {4, 28}}},
		{196, [4]blocks{{2, 20}, {4, 18}, {6, 18}, {5, 26}}},
		{242, [4]blocks{{2, 24}, {4, 22}, {6, 22}, {6, 26}}},
		{292, [4]blocks{{2, 30}, {5, 22}, {8, 20}, {8, 24}}},
		{maxBytes, [4]blocks{{4, 18}, {5, 26}, {8, 24}, {8, 28}}},
	}
	t := &tables{}
	masks := maskPatterns()
	for i, size := range sizes {
		l := &t.layouts[i+1]
		l.total, l.blocks = size.total, size.blocks
		l.build(i + 1)
		for m := range masks {
			for y := range l.side {
				l.masks[m][y] = masks[m][y] & l.data[y]
			}
		}
		for _, b := range size.blocks {
			if t.generators[b.check] == nil {
				t.generators[b.check] = generator(b.check)
			}
		}
	}
	for at, indicator := range [4]int{levelL: 1, levelM: 0, levelQ: 3, levelH: 2} {
		for m := range 8 {
			t.formats[at][m] = uint16(withCheck(indicator<<3|m, 10, 0x537) ^ 0x5412) //nolint:gosec // 15 bits
		}
	}
	return t
}

// withCheck appends the remainder of a BCH code, so many bits of it, to value.
func withCheck(value, width, polynomial int) int {
	rest := value << width
	for bit := 1 << 30; bit >= 1<<width; bit >>= 1 {
		for shifted := polynomial; rest&bit != 0; shifted <<= 1 {
			if shifted&bit != 0 {
				rest ^= shifted
			}
		}
	}
	return value<<width | rest
}

// build lays out a version: its patterns, and the order of the places for data.
func (l *layout) build(version int) {
	l.side = 17 + 4*version
	last := l.side - 1
	var used grid
	set := func(x, y int, dark bool) {
		used[y] |= 1 << x
		if dark {
			l.fixed[y] |= 1 << x
		}
	}
	// A square of rings around a centre: dark unless ring is among light.
	square := func(cx, cy, radius int, light ...int) {
		for y := max(cy-radius, 0); y <= min(cy+radius, last); y++ {
			for x := max(cx-radius, 0); x <= min(cx+radius, last); x++ {
				ring := max(cx-x, x-cx, cy-y, y-cy)
				dark := true
				for _, r := range light {
					dark = dark && ring != r
				}
				set(x, y, dark)
			}
		}
	}
	for i := range l.side { // timing, crossed by all that follows
		set(i, 6, i%2 == 0)
		set(6, i, i%2 == 0)
	}
	square(3, 3, 4, 2, 4)
	square(last-3, 3, 4, 2, 4)
	square(3, last-3, 4, 2, 4)
	if version > 1 {
		centres := []int{6, last - 6}
		if version > 6 {
			centres = []int{6, last / 2, last - 6}
		}
		for _, y := range centres {
			for _, x := range centres {
				if (x > 6 && x < last-6) || (y > 6 && y < last-6) || (x > 6 && y > 6) { // not over a finder
					square(x, y, 2, 1)
				}
			}
		}
	}
	for i := range 9 { // the format's places, filled for each mask
		set(i, 8, l.fixed[8]>>i&1 == 1)
		set(8, i, l.fixed[i]>>8&1 == 1)
	}
	for i := range 8 {
		set(last-i, 8, false)
		set(8, last-i, false)
	}
	set(8, last-7, true)
	if version > 6 {
		for i, info := 0, withCheck(version, 12, 0x1f25); i < 18; i++ {
			set(i/3, last-10+i%3, info>>i&1 == 1)
			set(last-10+i%3, i/3, info>>i&1 == 1)
		}
	}

	// Two columns at a time from the right, up and down by turns.
	up := true
	for x := last; x > 0; x -= 2 {
		if x == 6 {
			x-- // the timing pattern's column is no one's
		}
		for i := range l.side {
			y := i
			if up {
				y = last - i
			}
			for _, column := range [2]int{x, x - 1} {
				if used[y]>>column&1 == 0 {
					l.places = append(l.places, uint16(y<<6|column)) //nolint:gosec // both below 64
				}
			}
		}
		up = !up
	}
	for y := range l.side {
		l.data[y] = ^used[y] & (1<<l.side - 1)
	}
}

// maskPatterns are the eight conditions of table 10, over the largest side.
func maskPatterns() (masks [8]grid) {
	for y := range maxSide {
		for x := range maxSide {
			for m, turned := range [8]bool{
				(x+y)%2 == 0,
				y%2 == 0,
				x%3 == 0,
				(x+y)%3 == 0,
				(y/2+x/3)%2 == 0,
				x*y%2+x*y%3 == 0,
				(x*y%2+x*y%3)%2 == 0,
				((x+y)%2+x*y%3)%2 == 0,
			} {
				if turned {
					masks[m][y] |= 1 << x
				}
			}
		}
	}
	return masks
}
