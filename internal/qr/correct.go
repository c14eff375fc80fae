package qr

import "encoding/binary"

// maxCheck is the most check bytes that a block of a version up to 10 has.
const maxCheck = 30

// remainder holds up to 32 check bytes of a block, the first one in the highest byte.
type remainder [4]uint64

// multiples are the multiples of a generator polynomial by a half byte: by the
// lower half in the first row, by the upper half in the second.
type multiples [2][16]remainder

// add takes one more byte of data into the remainder of the division.
func (r *remainder) add(b byte, by *multiples) {
	f := b ^ byte(r[0]>>56)
	low, high := &by[0][f&15], &by[1][f>>4]
	r[0] = (r[0]<<8 | r[1]>>56) ^ low[0] ^ high[0]
	r[1] = (r[1]<<8 | r[2]>>56) ^ low[1] ^ high[1]
	r[2] = (r[2]<<8 | r[3]>>56) ^ low[2] ^ high[2]
	r[3] = r[3]<<8 ^ low[3] ^ high[3]
}

// bytes are the check bytes, as many as the generator has roots, and then zeros.
func (r *remainder) bytes() (b [32]byte) {
	for i, word := range r {
		binary.BigEndian.PutUint64(b[8*i:], word)
	}
	return b
}

// times multiplies in the field of the standard: polynomials over the two-element
// field modulo x⁸+x⁴+x³+x²+1.
func times(a, b byte) (product byte) {
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			product ^= a
		}
		carry := a >> 7
		a = a<<1 ^ carry*0x1d
	}
	return product
}

// generator returns the multiples of the polynomial with the roots 1, x, x², … for
// so many check bytes.
func generator(check int) *multiples {
	// The coefficients without the leading one, the highest power first.
	polynomial := make([]byte, check)
	polynomial[check-1] = 1
	root := byte(1)
	for range check {
		for i := range polynomial {
			polynomial[i] = times(polynomial[i], root)
			if i+1 < check {
				polynomial[i] ^= polynomial[i+1]
			}
		}
		root = times(root, 2)
	}
	var m multiples
	for half := range m {
		for f := range m[half] {
			var b [32]byte
			for i, c := range polynomial {
				b[i] = times(c, byte(f)<<(4*half))
			}
			for i := range m[half][f] {
				m[half][f][i] = binary.BigEndian.Uint64(b[8*i:])
			}
		}
	}
	return &m
}
