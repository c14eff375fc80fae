// Package redisstore keeps handoffs in Redis, for a portal of several processes:
// one server, one that Sentinel watches over, or a Cluster.
//
// A handoff, with its outbox and its place in the index of what is due, is in one
// hash slot, and every change of it is one script that compares and sets: of two
// processes that change the same handoff one does it again, on what the other left.
//
// What else leads to a handoff, its keys and the lists, is elsewhere and is
// written first. It is checked against the record, so one that leads to no record,
// because a process died in between, reads as not found. It expires by itself, and
// so would a record that nobody has touched for a month beyond its time.
//
// What is acknowledged is on the disk of a Redis that has "appendfsync always",
// and in the memory of a replica too where the master has one. Redis fails over
// without asking us, so a master that is cut off from its replicas may still
// acknowledge what the next one never hears of; "min-replicas-to-write 1" makes it
// stop within seconds. Under Sentinel nothing is read from a server, or acknowledged
// by it, that the sentinels do not vouch for.
package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
	"github.com/handoff-portal/handoff/internal/store/sentinel"
)

var _ handoff.Store = (*Store)(nil)

// Options adjust a store. The zero value is right for serving.
type Options struct {
	// Prefix begins every key and channel. Default: handoff.
	Prefix string
	// Sentinels say which server is the master, where the client follows theirs.
	Sentinels *sentinel.Group
}

// How long things may take.
const (
	// callTime bounds a call of the store, and within it waiting for others of this
	// process.
	callTime = 5 * time.Second
	// waitTime is how long a replica may take to say that it has a change.
	waitTime = time.Second
	// retryAfter is what a caller is told while Redis does not answer.
	retryAfter = 2 * time.Second
)

// shards is how many hash slots handoffs are spread over, and so at most the
// masters of a Cluster that share the work.
const shards = 16

// decoded is how many handoffs are kept decoded: those that something happens to in
// this process now. What ends in another process is not let go here until it is read
// or others take its place, so they are few.
const decoded = 64

// Store keeps handoffs in Redis. It is safe for concurrent use. The client is the
// caller's to close.
type Store struct {
	client    redis.UniversalClient
	sentinels *sentinel.Group // or nil
	prefix    string
	known     *record.Cache
	decoy     string
	turns     turns
	script    scripts

	mu       sync.Mutex
	replicas map[*redis.Client]*replicas // guarded by mu; one for each master there ever was
}

// New returns a store. Nothing is asked of Redis yet; see Prepare.
func New(client redis.UniversalClient, o Options) *Store {
	if o.Prefix == "" {
		o.Prefix = "handoff"
	}
	return &Store{
		client: client, sentinels: o.Sentinels, prefix: o.Prefix, known: record.NewCache(decoded), decoy: string(record.Decoy()),
		turns: turns{all: make(map[handoff.ID]*turn)}, script: newScripts(), replicas: make(map[*redis.Client]*replicas),
	}
}

// Channel is where every change that people see is told, in the moment it is
// saved: the handoff's id.
func (s *Store) Channel() string { return s.prefix + ":changes" }

// The fields of a record's hash.
const (
	fieldRecord = "r"
	fieldDue    = "d" // the time it is due, as in the index
	fieldStamps = "s" // of the latest changes, newest first
	fieldUntil  = "x" // Unix time in seconds at which all there is of the handoff expires
)

// shard is the part of a key that decides the slot.
func (s *Store) shard(id handoff.ID) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return int(h.Sum32() % shards)
}

func (s *Store) recordKey(id handoff.ID) string {
	return fmt.Sprintf("%s:{%d}:h:%s", s.prefix, s.shard(id), id)
}

func (s *Store) dueKey(shard int) string { return fmt.Sprintf("%s:{%d}:due", s.prefix, shard) }

func (s *Store) keyKey(k handoff.Key) string { return s.prefix + ":k:" + string(k) }

// places are the lists that h is in: its partner's and its instance's.
func (s *Store) places(h handoff.Handoff) []string {
	return []string{s.partnerKey(h.Partner), s.instanceKey(h.Partner, h.Instance)}
}

func (s *Store) partnerKey(p handoff.PartnerID) string { return s.prefix + ":p:" + string(p) }

// instanceKey: neither a partner nor an instance has a slash in its name.
func (s *Store) instanceKey(p handoff.PartnerID, i handoff.InstanceID) string {
	return s.prefix + ":i:" + string(p) + "/" + string(i)
}

// stampSize is the length of the random mark that each change leaves in the
// record. By it a caller who never heard what came of a change finds out.
const stampSize = 8

func newStamp() string {
	b := make([]byte, stampSize)
	_, _ = rand.Read(b) // never fails
	return string(b)
}

// held is a handoff as Redis holds it.
type held struct {
	handoff handoff.Handoff
	record  string
	due     string
	stamp   string // of the latest change
	until   int64
}

// Get implements handoff.Store.
func (s *Store) Get(ctx context.Context, id handoff.ID) (handoff.Handoff, error) {
	ctx, cancel, err := begin(ctx)
	if err != nil {
		return handoff.Handoff{}, err
	}
	defer cancel()
	var raw *redis.StringCmd
	if err := s.ask(ctx, func(p redis.Pipeliner) { raw = p.HGet(ctx, s.recordKey(id), fieldRecord) }); err != nil {
		return handoff.Handoff{}, fault(ctx, err)
	}
	h, _, err := s.known.Unmarshal(id, []byte(raw.Val()))
	return h, err
}

// nobody is the id that a key leads to which leads nowhere.
const nobody = handoff.ID("ho_0000000000000000000000")

// Lookup implements handoff.Store. A key that never was costs the same two
// questions and the decoding of a record, of one that is nobody's; one that is costs
// no more.
func (s *Store) Lookup(ctx context.Context, key handoff.Key) (handoff.Handoff, error) {
	ctx, cancel, err := begin(ctx)
	if err != nil {
		return handoff.Handoff{}, err
	}
	defer cancel()
	id := nobody
	var pointer, raw *redis.StringCmd
	switch err := s.ask(ctx, func(p redis.Pipeliner) { pointer = p.Get(ctx, s.keyKey(key)) }); {
	case err == nil:
		id = owner(pointer.Val())
	case !isNil(err):
		return handoff.Handoff{}, fault(ctx, err)
	}
	switch err := s.ask(ctx, func(p redis.Pipeliner) { raw = p.HGet(ctx, s.recordKey(id), fieldRecord) }); {
	case isNil(err):
		if _, err := record.Unmarshal([]byte(s.decoy)); err != nil {
			return handoff.Handoff{}, err
		}
		return handoff.Handoff{}, notFound()
	case err != nil:
		return handoff.Handoff{}, fault(ctx, err)
	}
	h, keys, err := s.known.Unmarshal(id, []byte(raw.Val()))
	if err != nil {
		return handoff.Handoff{}, err
	}
	if !slices.Contains(keys, key) {
		return handoff.Handoff{}, notFound()
	}
	return h, nil
}

// read returns what Redis holds of a handoff.
func (s *Store) read(ctx context.Context, id handoff.ID) (held, error) {
	var fields *redis.SliceCmd
	err := s.ask(ctx, func(p redis.Pipeliner) {
		fields = p.HMGet(ctx, s.recordKey(id), fieldRecord, fieldDue, fieldStamps, fieldUntil)
	})
	if err != nil {
		return held{}, fault(ctx, err)
	}
	return s.decode(id, fields.Val())
}

// ask puts questions to Redis. An error is the first that one of them has, or that
// who answered is not known to be the master.
func (s *Store) ask(ctx context.Context, queue func(redis.Pipeliner)) error {
	p := s.client.Pipeline()
	queue(p)
	who := s.who(ctx, p)
	_, err := p.Exec(ctx)
	if err != nil && !isNil(err) {
		return err
	}
	if doubt := s.vouch(ctx, who); doubt != nil {
		return doubt
	}
	return err
}

// who asks, beside other things, which server answers: for vouch. Without Sentinel
// it asks nothing, and is nil.
func (s *Store) who(ctx context.Context, p redis.Pipeliner) *redis.StringCmd {
	if s.sentinels == nil {
		return nil
	}
	return p.Info(ctx, "server")
}

// vouch returns nil if a server that answered is the master.
func (s *Store) vouch(ctx context.Context, who *redis.StringCmd) error {
	if who == nil {
		return nil
	}
	info, err := who.Result()
	if err != nil {
		return err
	}
	return s.sentinels.Vouch(ctx, sentinel.RunID(info))
}

func notFound() error { return handoff.Errorf(handoff.CodeNotFound, "no such handoff") }
