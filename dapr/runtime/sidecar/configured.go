package sidecar

import (
	"reflect"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/components/bindings"
	"github.com/dapr/dapr/pkg/components/configuration"
	"github.com/dapr/dapr/pkg/components/conversation"
	"github.com/dapr/dapr/pkg/components/crypto"
	"github.com/dapr/dapr/pkg/components/lock"
	"github.com/dapr/dapr/pkg/components/middleware/http"
	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/pubsub"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/metrics"
	"github.com/dapr/dapr/pkg/runtime"
	"github.com/dapr/dapr/pkg/runtime/registry"
	"github.com/dapr/kit/logger"
	"go.opencensus.io/stats/view"
)

// configured returns what the runtime is told: each option under its own name, and the few that go by another.
func configured(opts *options.Options, health healthz.Healthz) *runtime.Config {
	config := &runtime.Config{
		ApplicationPort:  opts.AppPort,
		SchedulerStreams: opts.SchedulerJobStreams,
		Healthz:          health,
		Registry:         registered(),
		Metrics: metrics.Options{
			Enabled:       opts.Metrics.Enabled(),
			Log:           log,
			Port:          opts.Metrics.Port(),
			ListenAddress: opts.Metrics.ListenAddress(),
			Namespace:     metrics.DefaultMetricNamespace,
			Healthz:       health,
			Meter:         view.NewMeter(),
		},
	}
	given, wanted := reflect.ValueOf(opts).Elem(), reflect.ValueOf(config).Elem()
	for _, field := range sameNamed(given.Type(), wanted.Type()) {
		wanted.FieldByName(field).Set(given.FieldByName(field))
	}
	return config
}

// sameNamed returns the fields that both have, of one type.
func sameNamed(given, wanted reflect.Type) []string {
	var names []string
	for _, field := range reflect.VisibleFields(wanted) {
		if other, found := given.FieldByName(field.Name); found && other.Type == field.Type {
			names = append(names, field.Name)
		}
	}
	return names
}

func registered() *registry.Options {
	return registry.NewOptions().
		WithBindings(bindings.DefaultRegistry).
		WithConfigurations(configuration.DefaultRegistry).
		WithConversations(conversation.DefaultRegistry).
		WithCryptoProviders(crypto.DefaultRegistry).
		WithHTTPMiddlewares(http.DefaultRegistry).
		WithLocks(lock.DefaultRegistry).
		WithNameResolutions(nameresolution.DefaultRegistry).
		WithPubSubs(pubsub.DefaultRegistry).
		WithSecretStores(secretstores.DefaultRegistry).
		WithStateStores(state.DefaultRegistry)
}

// nameLoggers lets components speak under the names that upstream's do.
func nameLoggers() {
	contrib := logger.NewLogger("dapr.contrib")
	bindings.DefaultRegistry.Logger = contrib
	configuration.DefaultRegistry.Logger = contrib
	conversation.DefaultRegistry.Logger = contrib
	crypto.DefaultRegistry.Logger = contrib
	lock.DefaultRegistry.Logger = contrib
	nameresolution.DefaultRegistry.Logger = contrib
	pubsub.DefaultRegistry.Logger = contrib
	secretstores.DefaultRegistry.Logger = contrib
	state.DefaultRegistry.Logger = contrib
	http.DefaultRegistry.Logger = log
}
