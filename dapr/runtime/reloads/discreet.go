package reloads

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// discreet keeps out of a span what its readers must not have: daprd notes the address that was asked with its query, in
// which the links of mails carry tokens and a search the address of a person, and each header that begins with dapr-.
type discreet struct{ trace.Span }

func (d discreet) SetAttributes(all ...attribute.KeyValue) {
	kept := slices.DeleteFunc(slices.Clone(all), func(each attribute.KeyValue) bool { return each.Key == "dapr-api-token" })
	for place, each := range kept {
		if each.Key == "url.full" {
			path, _, _ := strings.Cut(each.Value.AsString(), "?")
			kept[place] = each.Key.String(path)
		}
	}
	d.Span.SetAttributes(kept...)
}
