package reloads

import (
	"context"
	"maps"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestASpanHoldsNoQueryAndNoToken(t *testing.T) {
	followProvider()
	t.Cleanup(followProvider)
	early := otel.Tracer("daprd's")
	recorder := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder)))
	ctx, span := early.Start(context.Background(), "GET")
	span.SetAttributes(
		attribute.String("url.full", "/v1.0/invoke/notifications/method/unsubscribe?token=secret"),
		attribute.String("dapr-api-token", "secret"),
		attribute.String("dapr-app-id", "orders"),
	)
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("url.full", "/path?q=ada@example.org"))
	span.End()
	found := map[string]string{}
	for _, each := range recorder.Ended()[0].Attributes() {
		found[string(each.Key)] = each.Value.AsString()
	}
	if wanted := map[string]string{"url.full": "/path", "dapr-app-id": "orders"}; !maps.Equal(found, wanted) {
		t.Fatalf("the span holds %v", found)
	}
}
