package reloads

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestSpansOfALaterRunGoToItsOwnProvider(t *testing.T) {
	early := otel.Tracer("made before any provider, as daprd's is")
	followProvider()
	if _, span := early.Start(context.Background(), "nobody wants it yet"); span.IsRecording() {
		t.Fatal("a span is recorded without a provider")
	}
	for run := range 2 {
		recorder := tracetest.NewSpanRecorder()
		provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
		otel.SetTracerProvider(provider)
		_, span := early.Start(context.Background(), "asked")
		span.End()
		if len(recorder.Ended()) != 1 {
			t.Fatalf("run %d: %d spans came, and one was made", run, len(recorder.Ended()))
		}
		if err := provider.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}
