package main

import (
	"context"
	"net/http"

	contrib "github.com/dapr/components-contrib/bindings"
	"github.com/dapr/components-contrib/bindings/apns"
	"github.com/dapr/components-contrib/bindings/aws/ses"
	mqtt "github.com/dapr/components-contrib/bindings/mqtt3"
	"github.com/dapr/components-contrib/bindings/postmark"
	"github.com/dapr/components-contrib/bindings/twilio/sendgrid"
	"github.com/dapr/components-contrib/bindings/twilio/sms"
	"github.com/dapr/components-contrib/crypto/jwks"
	"github.com/dapr/components-contrib/crypto/localstorage"
	redislock "github.com/dapr/components-contrib/lock/redis"
	contribmiddleware "github.com/dapr/components-contrib/middleware"
	"github.com/dapr/components-contrib/middleware/http/opa"
	"github.com/dapr/components-contrib/middleware/http/routeralias"
	"github.com/dapr/components-contrib/middleware/http/routerchecker"
	"github.com/dapr/components-contrib/pubsub/jetstream"
	"github.com/dapr/dapr/pkg/components/bindings"
	"github.com/dapr/dapr/pkg/components/crypto"
	"github.com/dapr/dapr/pkg/components/lock"
	httpmiddleware "github.com/dapr/dapr/pkg/components/middleware/http"
	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/pubsub"
	"github.com/dapr/dapr/pkg/middleware"
	"github.com/dapr/kit/logger"

	"sidecart/runtime/leaving"
	"sidecart/runtime/names"
	"sidecart/runtime/rabbitmq"
	"sidecart/runtime/smtp"
	"sidecart/runtime/streams"
	"sidecart/runtime/texts"
)

// The build tag "stablecomponents" brings what upstream calls stable. What follows is the rest
// that a profile of ours may name; type names are upstream's, so that an installed daprd fits too.
func init() {
	registerBindings()
	registerMiddleware()
	pubsub.DefaultRegistry.RegisterComponent(jetstream.NewJetStream, "jetstream")
	pubsub.DefaultRegistry.RegisterComponent(leaving.Promptly(streams.New), "redis")
	pubsub.DefaultRegistry.RegisterComponent(leaving.Promptly(rabbitmq.New), "rabbitmq")
	nameresolution.DefaultRegistry.RegisterComponent(names.New, "sqlite")
	lock.DefaultRegistry.RegisterComponent(redislock.NewStandaloneRedisLock, "redis")
	crypto.DefaultRegistry.RegisterComponent(jwks.NewJWKSCrypto, "dapr.jwks")
	crypto.DefaultRegistry.RegisterComponent(localstorage.NewLocalStorageCrypto, "dapr.localstorage")
}

func registerBindings() {
	outputs := map[string]func(logger.Logger) contrib.OutputBinding{
		"apns":            apns.NewAPNS,
		"aws.ses":         ses.NewAWSSES,
		"aws.sns":         texts.New,
		"mqtt3":           func(log logger.Logger) contrib.OutputBinding { return mqtt.NewMQTT(log) },
		"postmark":        postmark.NewPostmark,
		"smtp":            smtp.New,
		"twilio.sendgrid": sendgrid.NewSendGrid,
		"twilio.sms":      sms.NewSMS,
	}
	for name, create := range outputs {
		bindings.DefaultRegistry.RegisterOutputBinding(create, name)
	}
	bindings.DefaultRegistry.RegisterInputBinding(
		func(log logger.Logger) contrib.InputBinding { return mqtt.NewMQTT(log) }, "mqtt3")
}

// handlerMaker is the part of contrib's HTTP middleware that daprd asks for.
type handlerMaker interface {
	GetHandler(context.Context, contribmiddleware.Metadata) (func(http.Handler) http.Handler, error)
}

func registerMiddleware() {
	makers := map[string]func(logger.Logger) handlerMaker{
		"opa":           func(log logger.Logger) handlerMaker { return opa.NewMiddleware(log) },
		"ratelimit":     func(logger.Logger) handlerMaker { return rateLimit{} },
		"routeralias":   func(log logger.Logger) handlerMaker { return routeralias.NewMiddleware(log) },
		"routerchecker": func(log logger.Logger) handlerMaker { return routerchecker.NewMiddleware(log) },
	}
	for name, create := range makers {
		httpmiddleware.DefaultRegistry.RegisterComponent(func(log logger.Logger) httpmiddleware.FactoryMethod {
			return func(metadata contribmiddleware.Metadata) (middleware.HTTP, error) {
				return create(log).GetHandler(context.Background(), metadata)
			}
		}, name)
	}
}
