package metrics

import (
	"context"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Store returns s with its operations timed.
func (m *Metrics) Store(s handoff.Store) handoff.Store { return &store{s, m} }

type store struct {
	handoff.Store
	m *Metrics
}

func (s *store) took(operation string, began time.Time, err error) {
	s.m.storeTimes.WithLabelValues(operation, result(err)).Observe(time.Since(began).Seconds())
}

// Create implements handoff.Store.
func (s *store) Create(ctx context.Context, h handoff.Handoff) (others bool, err error) {
	began := time.Now()
	others, err = s.Store.Create(ctx, h)
	s.took("create", began, err)
	return others, err
}

// Get implements handoff.Store.
func (s *store) Get(ctx context.Context, id handoff.ID) (handoff.Handoff, error) {
	began := time.Now()
	h, err := s.Store.Get(ctx, id)
	s.took("get", began, err)
	return h, err
}

// Lookup implements handoff.Store.
func (s *store) Lookup(ctx context.Context, key handoff.Key) (handoff.Handoff, error) {
	began := time.Now()
	h, err := s.Store.Lookup(ctx, key)
	s.took("lookup", began, err)
	return h, err
}

// Update implements handoff.Store. What the rule refused is no fault of the
// store's: it is counted as "refused".
func (s *store) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	began, refused := time.Now(), false
	h, err := s.Store.Update(ctx, id, func(h handoff.Handoff) (handoff.Handoff, error) {
		next, err := fn(h)
		refused = err != nil
		return next, err
	})
	r := result(err)
	if refused {
		r = "refused"
	}
	s.m.storeTimes.WithLabelValues("update", r).Observe(time.Since(began).Seconds())
	return h, err
}

// List implements handoff.Store.
func (s *store) List(ctx context.Context, q handoff.Query) (handoff.Page, error) {
	began := time.Now()
	p, err := s.Store.List(ctx, q)
	s.took("list", began, err)
	return p, err
}

// Due implements handoff.Store.
func (s *store) Due(ctx context.Context, t time.Time, limit int) ([]handoff.ID, error) {
	began := time.Now()
	ids, err := s.Store.Due(ctx, t, limit)
	s.took("due", began, err)
	return ids, err
}

// Delete implements handoff.Store.
func (s *store) Delete(ctx context.Context, id handoff.ID) error {
	began := time.Now()
	err := s.Store.Delete(ctx, id)
	s.took("delete", began, err)
	return err
}

// Platforms returns p with its calls timed.
func (m *Metrics) Platforms(p handoff.Platforms) handoff.Platforms { return &platforms{p, m} }

type platforms struct {
	handoff.Platforms
	m *Metrics
}

// Platform implements handoff.Platforms.
func (p *platforms) Platform(id handoff.PartnerID) (handoff.Platform, error) {
	found, err := p.Platforms.Platform(id)
	if err != nil {
		return nil, err
	}
	return &platform{found, p.m}, nil
}

type platform struct {
	handoff.Platform
	m *Metrics
}

func (p *platform) took(call string, began time.Time, err error) {
	p.m.callTimes.WithLabelValues(call, result(err)).Observe(time.Since(began).Seconds())
}

// StartJourney implements handoff.Platform.
func (p *platform) StartJourney(ctx context.Context, j handoff.Journey) (handoff.InstanceID, error) {
	began := time.Now()
	id, err := p.Platform.StartJourney(ctx, j)
	p.took("journey", began, err)
	return id, err
}

// StartDevice implements handoff.Platform.
func (p *platform) StartDevice(ctx context.Context, instance handoff.InstanceID, scope []handoff.Scope) (handoff.ConnectToken, error) {
	began := time.Now()
	t, err := p.Platform.StartDevice(ctx, instance, scope)
	p.took("start", began, err)
	return t, err
}

// ConnectDevice implements handoff.Platform.
func (p *platform) ConnectDevice(ctx context.Context, token handoff.Secret, device handoff.DeviceInfo) (handoff.EndUserToken, error) {
	began := time.Now()
	t, err := p.Platform.ConnectDevice(ctx, token, device)
	p.took("connect", began, err)
	return t, err
}

// State implements handoff.Platform.
func (p *platform) State(ctx context.Context, instance handoff.InstanceID) (handoff.JourneyState, error) {
	began := time.Now()
	s, err := p.Platform.State(ctx, instance)
	p.took("state", began, err)
	return s, err
}

// Deliverer returns d with its attempts counted.
func (m *Metrics) Deliverer(d handoff.Deliverer) handoff.Deliverer { return &deliverer{d, m} }

type deliverer struct {
	handoff.Deliverer
	m *Metrics
}

// Deliver implements handoff.Deliverer.
func (d *deliverer) Deliver(ctx context.Context, msg handoff.Message) handoff.Receipt {
	began := time.Now()
	r := d.Deliverer.Deliver(ctx, msg)
	result := "failed"
	switch {
	case r.Delivered:
		result = "delivered"
	case r.Gone:
		result = "gone"
	case r.Interrupted:
		result = "interrupted"
	}
	d.m.webhookTimes.WithLabelValues(string(msg.Partner), result).Observe(time.Since(began).Seconds())
	return r
}
