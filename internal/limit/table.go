package limit

// looks is how many rows a new key looks at, to make room.
const looks = 8

// table holds a row for each key that something is counted for, at most size of
// them. Its user locks it.
type table[V any] struct {
	size  int
	index map[string]int // by key: the place in rows
	rows  []row[V]
	hand  int // the place to look at next
}

type row[V any] struct {
	key   string
	count V
}

func newTable[V any](size int) table[V] { return table[V]{size: size, index: make(map[string]int)} }

// find returns the count of key, or nil. It is good until the next at.
func (t *table[V]) find(key string) *V {
	if i, ok := t.index[key]; ok {
		return &t.rows[i].count
	}
	return nil
}

// at returns the count of key, making one if there is none. weight says how much
// a count holds: nothing, and its row goes at once; little, and it goes if there
// is no room.
func (t *table[V]) at(key string, weight func(V) int64) *V {
	if v := t.find(key); v != nil {
		return v
	}
	t.makeRoom(weight)
	t.index[key] = len(t.rows)
	t.rows = append(t.rows, row[V]{key: key})
	return &t.rows[len(t.rows)-1].count
}

func (t *table[V]) makeRoom(weight func(V) int64) {
	var lightest string
	least := int64(-1)
	for n := 0; n < looks && len(t.rows) > 0; n++ {
		if t.hand >= len(t.rows) {
			t.hand = 0
		}
		switch w := weight(t.rows[t.hand].count); {
		case w <= 0:
			t.remove(t.hand) // the last one is there now, and is looked at next
			continue
		case least < 0 || w < least:
			lightest, least = t.rows[t.hand].key, w
		}
		t.hand++
	}
	if len(t.rows) >= t.size {
		t.remove(t.index[lightest])
	}
}

func (t *table[V]) remove(i int) {
	last := len(t.rows) - 1
	delete(t.index, t.rows[i].key)
	if i != last {
		t.rows[i] = t.rows[last]
		t.index[t.rows[i].key] = i
	}
	t.rows[last] = row[V]{} // lets go of the key
	t.rows = t.rows[:last]
}
