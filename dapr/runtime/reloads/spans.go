package reloads

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
)

// followProvider lets tracers that were made early ask whichever provider is the present one. Otherwise they stay with
// the first that is set, daprd's own among them, and that one is shut down when the first run ends: no span of a later
// run would go anywhere.
func followProvider() { otel.SetTracerProvider(present{}) }

type present struct{ embedded.TracerProvider }

func (present) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	return following{name: name, options: options}
}

type following struct {
	embedded.Tracer
	name    string
	options []trace.TracerOption
}

func (f following) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	provider := otel.GetTracerProvider()
	if provider == (present{}) {
		provider = noop.NewTracerProvider()
	}
	ctx, span := provider.Tracer(f.name, f.options...).Start(ctx, name, options...)
	if !span.IsRecording() {
		return ctx, span
	}
	quiet := discreet{span}
	return trace.ContextWithSpan(ctx, quiet), quiet
}
