package traces

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/handoff-portal/handoff/internal/handoff"
)

func idOf(id handoff.ID) attribute.KeyValue { return attribute.String("handoff.id", string(id)) }

// Store returns s with a span for each operation that a traced request asks for.
// What goes on in the background all the time gets none.
func (t *Tracer) Store(s handoff.Store) handoff.Store { return &store{s, t} }

type store struct {
	handoff.Store
	t *Tracer
}

func (s *store) begin(ctx context.Context, name string, of ...attribute.KeyValue) (context.Context, trace.Span) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, noop.Span{}
	}
	return s.t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(of...))
}

// Create implements handoff.Store.
func (s *store) Create(ctx context.Context, h handoff.Handoff) (others bool, err error) {
	ctx, span := s.begin(ctx, "store create", idOf(h.ID))
	others, err = s.Store.Create(ctx, h)
	finish(span, err)
	return others, err
}

// Get implements handoff.Store.
func (s *store) Get(ctx context.Context, id handoff.ID) (handoff.Handoff, error) {
	ctx, span := s.begin(ctx, "store get", idOf(id))
	h, err := s.Store.Get(ctx, id)
	finish(span, err)
	return h, err
}

// Lookup implements handoff.Store. The key is no attribute: that of a handoff that
// was found is its id.
func (s *store) Lookup(ctx context.Context, key handoff.Key) (handoff.Handoff, error) {
	ctx, span := s.begin(ctx, "store lookup")
	h, err := s.Store.Lookup(ctx, key)
	if err == nil {
		span.SetAttributes(idOf(h.ID))
	}
	finish(span, err)
	return h, err
}

// Update implements handoff.Store.
func (s *store) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	ctx, span := s.begin(ctx, "store update", idOf(id))
	h, err := s.Store.Update(ctx, id, fn)
	finish(span, err)
	return h, err
}

// List implements handoff.Store.
func (s *store) List(ctx context.Context, q handoff.Query) (handoff.Page, error) {
	ctx, span := s.begin(ctx, "store list")
	p, err := s.Store.List(ctx, q)
	finish(span, err)
	return p, err
}

// Delete implements handoff.Store.
func (s *store) Delete(ctx context.Context, id handoff.ID) error {
	ctx, span := s.begin(ctx, "store delete", idOf(id))
	err := s.Store.Delete(ctx, id)
	finish(span, err)
	return err
}

// Platforms returns p with a span for each call, with all its attempts: also of
// those that nobody asks for at the moment, such as after a journey's state.
func (t *Tracer) Platforms(p handoff.Platforms) handoff.Platforms { return &platforms{p, t} }

type platforms struct {
	handoff.Platforms
	t *Tracer
}

// Platform implements handoff.Platforms.
func (p *platforms) Platform(id handoff.PartnerID) (handoff.Platform, error) {
	found, err := p.Platforms.Platform(id)
	if err != nil {
		return nil, err
	}
	return &platform{found, p.t, attribute.String("handoff.partner", string(id))}, nil
}

type platform struct {
	handoff.Platform
	t       *Tracer
	partner attribute.KeyValue
}

func (p *platform) begin(ctx context.Context, name string) (context.Context, trace.Span) {
	return p.t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(p.partner))
}

// StartJourney implements handoff.Platform.
func (p *platform) StartJourney(ctx context.Context, j handoff.Journey) (handoff.InstanceID, error) {
	ctx, span := p.begin(ctx, "platform journey")
	id, err := p.Platform.StartJourney(ctx, j)
	finish(span, err)
	return id, err
}

// StartDevice implements handoff.Platform.
func (p *platform) StartDevice(ctx context.Context, instance handoff.InstanceID, scope []handoff.Scope) (handoff.ConnectToken, error) {
	ctx, span := p.begin(ctx, "platform start")
	t, err := p.Platform.StartDevice(ctx, instance, scope)
	finish(span, err)
	return t, err
}

// ConnectDevice implements handoff.Platform.
func (p *platform) ConnectDevice(ctx context.Context, token handoff.Secret, device handoff.DeviceInfo) (handoff.EndUserToken, error) {
	ctx, span := p.begin(ctx, "platform connect")
	t, err := p.Platform.ConnectDevice(ctx, token, device)
	finish(span, err)
	return t, err
}

// State implements handoff.Platform.
func (p *platform) State(ctx context.Context, instance handoff.InstanceID) (handoff.JourneyState, error) {
	ctx, span := p.begin(ctx, "platform state")
	s, err := p.Platform.State(ctx, instance)
	finish(span, err)
	return s, err
}

// Deliverer returns d with a span for each attempt.
func (t *Tracer) Deliverer(d handoff.Deliverer) handoff.Deliverer { return &deliverer{d, t} }

type deliverer struct {
	handoff.Deliverer
	t *Tracer
}

// Deliver implements handoff.Deliverer.
func (d *deliverer) Deliver(ctx context.Context, m handoff.Message) handoff.Receipt {
	ctx, span := d.t.tracer.Start(ctx, "webhook deliver", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("handoff.partner", string(m.Partner)), idOf(m.Handoff), attribute.Int("handoff.seq", m.Seq)))
	defer span.End()
	r := d.Deliverer.Deliver(ctx, m)
	span.SetAttributes(attribute.String("handoff.outcome", r.Outcome))
	if !r.Delivered && !r.Interrupted {
		span.SetStatus(codes.Error, "")
	}
	return r
}
