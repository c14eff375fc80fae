package qr

import "math/bits"

// margin is how far the standard's third rule looks beyond a pattern.
const margin = 4

// framed is a grid between rows of light ones, so that the rules can look beyond its edges.
type framed [margin + 64 + margin + 4]uint64

// penalty is how hard a code is to read by the four rules of ISO/IEC 18004 §7.8.3.1,
// each of them applied to a row of modules at a time. rows has the code's first row
// at margin. The quiet zone counts as light, as it is to whoever looks for a finder.
func penalty(rows *framed, side int) int {
	full := uint64(1)<<side - 1
	var (
		dark, runs, starts, squares, finders int
		// What the rows above left: modules like the one below them, for the last
		// rows, windows of five such rows, and modules like their right neighbour.
		like1, like2, like3, window, beside uint64
	)
	for y := margin; y < margin+side; y++ {
		row, next := rows[y], rows[y+1]
		light := ^row
		dark += bits.OnesCount64(row)

		// 1, along the row: five alike are 3, and each more is 1.
		alike := ^(row ^ row>>1) & (full >> 1)
		five := alike & (alike >> 1)
		five &= five >> 2
		runs += bits.OnesCount64(five)
		starts += bits.OnesCount64(five &^ (five << 1))

		// 2: squares of four alike, with the row above.
		squares += bits.OnesCount64(alike & beside & like1)
		beside = alike

		// 1, down the columns: windows that end in the next row.
		like := ^(row ^ next) & full
		if y == margin+side-1 {
			like = 0
		}
		five = like & like1 & like2 & like3
		runs += bits.OnesCount64(five)
		starts += bits.OnesCount64(five &^ window)
		window, like1, like2, like3 = five, like, like1, like2

		// 3, along the row: what looks like a finder, with four light on either side.
		if p := row & (light >> 1) & (row >> 2) & (row >> 3) & (row >> 4) & (light >> 5) & (row >> 6); p != 0 {
			before := (light<<1 | 1) & (light<<2 | 3) & (light<<3 | 7) & (light<<4 | 15)
			after := (light >> 7) & (light >> 8) & (light >> 9) & (light >> 10)
			finders += bits.OnesCount64(p & (before | after))
		}
		// 3, down the columns.
		if p := row &^ next & rows[y+2] & rows[y+3] & rows[y+4] &^ rows[y+5] & rows[y+6]; p != 0 {
			before := rows[y-1] | rows[y-2] | rows[y-3] | rows[y-4]
			after := rows[y+7] | rows[y+8] | rows[y+9] | rows[y+10]
			finders += bits.OnesCount64(p &^ (before & after))
		}
	}
	// 4: each full twentieth by which the dark modules are not a half.
	total := side * side
	off := 20*dark - 10*total
	return runs + 2*starts + 3*squares + 40*finders + 10*(max(off, -off)/total)
}
