package web_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// network is a way in which people's computers and phones reach us, and how many
// sessions of five hundred go that way. The shares are assumptions: nobody measured them.
type network struct {
	name           string
	share          int
	desk, phone    string // addresses; %d is the person's number
	abroad, second bool   // the phone's country is another one; another browser claimed first
}

func networks() []network {
	return []network{
		{name: "one home network", share: 260, desk: "203.0.113.%d", phone: "203.0.113.%d"},
		{name: "phone on mobile data", share: 115, desk: "203.0.113.%d", phone: "198.51.100.%d"},
		{name: "phone behind a carrier's shared address", share: 40, desk: "203.0.113.%d", phone: "198.51.100.7"},
		{name: "IPv6 on one, IPv4 on the other", share: 40, desk: "203.0.113.%d", phone: "2001:db8:0:%d::1"},
		{name: "company's proxy, same country", share: 12, desk: "192.0.2.9", phone: "198.51.100.%d"},
		{name: "company's proxy abroad", share: 3, desk: "192.0.2.10", phone: "198.51.100.%d", abroad: true},
		{name: "VPN, same country", share: 20, desk: "192.0.2.20", phone: "203.0.113.%d"},
		{name: "VPN abroad", share: 4, desk: "192.0.2.21", phone: "203.0.113.%d", abroad: true},
		{name: "roaming phone", share: 2, desk: "203.0.113.%d", phone: "198.51.100.%d", abroad: true},
		{name: "a second phone or browser", share: 4, desk: "203.0.113.%d", phone: "203.0.113.%d", second: true},
	}
}

// TestAskedForANumber scans five hundred codes out of a mix of networks, under auto: an
// unknown or different address asks nobody for a number, another country and a second
// claim do, and nothing else does.
func TestAskedForANumber(t *testing.T) {
	t.Parallel()
	var people []network
	for _, n := range networks() {
		for range n.share {
			people = append(people, n)
		}
	}
	dice := rand.New(rand.NewPCG(1, 2)) // the same order in every run
	dice.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	w := newWorld(t, from)
	asked := map[string]int{}
	for i, n := range people {
		s := w.begin()
		at := func(p *person, pattern, country string) {
			address := strings.Replace(pattern, "%d", strconv.Itoa(i%250+1), 1)
			p.header.Set("X-Forwarded-For", address)
			p.header.Set("X-Country", country)
		}
		country := "FR"
		if n.abroad {
			country = "DE"
		}
		at(s.desk, n.desk, "FR")
		at(s.phone, n.phone, country)
		s.open()
		if n.second {
			first := s.person(android)
			at(first, n.phone, country)
			first.press(first.get(s.code()), "continue")
			s.desk.press(s.open(), "action-release")
		}
		s.scan()
		if s.tap().testID(t) == "number" {
			asked[n.name]++
			asked["all"]++
		}
	}
	want := map[string]int{}
	for _, n := range networks() {
		if n.abroad || n.second {
			want[n.name] = n.share
		}
		t.Logf("| %s | %d | %d |", n.name, n.share, asked[n.name])
		if asked[n.name] != want[n.name] {
			t.Errorf("%s: %d of %d asked, want %d", n.name, asked[n.name], n.share, want[n.name])
		}
	}
	t.Logf("asked for a number: %d of %d", asked["all"], len(people))
	if asked["all"]*20 >= len(people) {
		t.Errorf("%d of %d are asked for a number, want fewer than one in twenty", asked["all"], len(people))
	}
}
