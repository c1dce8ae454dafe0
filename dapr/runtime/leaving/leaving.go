// Package leaving lets a sidecar let go of a broker whose messages were being gathered for a bulk subscription.
//
// The runtime gathers what a broker hands out one by one. What is in its hands in the moment a subscription ends is
// forgotten: nobody answers for it, and neither Redis nor RabbitMQ closes before everything is answered. The sidecar
// then hangs until it is killed, and its app hears nothing.
package leaving

import (
	"context"
	"time"

	"github.com/dapr/components-contrib/health"
	"github.com/dapr/components-contrib/pubsub"
	runtimepubsub "github.com/dapr/dapr/pkg/runtime/pubsub"
	"github.com/dapr/kit/logger"
)

// An app that is in the middle of a batch answers within this, as a rule; what comes later is handed out once more, by
// this broker or in a replay, and inboxes know it.
const lastAnswer = time.Second

// Then it takes a moment to tell the broker.
const lastClose = 3 * time.Second

// Promptly returns what create makes, with an end to every subscription.
func Promptly(create func(logger.Logger) pubsub.PubSub) func(logger.Logger) pubsub.PubSub {
	return func(log logger.Logger) pubsub.PubSub {
		inner := broker{create(log), log}
		pinger, pings := inner.PubSub.(health.Pinger)
		publisher, publishes := inner.PubSub.(pubsub.BulkPublisher)
		switch {
		case pings && publishes:
			return both{inner, pinger, publisher}
		case pings:
			return pinged{inner, pinger}
		case publishes:
			return publishing{inner, publisher}
		}
		return inner
	}
}

type broker struct {
	pubsub.PubSub
	log logger.Logger
}

type pinged struct {
	broker
	health.Pinger
}

type publishing struct {
	broker
	pubsub.BulkPublisher
}

type both struct {
	broker
	health.Pinger
	pubsub.BulkPublisher
}

// Close returns when the broker has closed, or a while after everything must have been answered; and it never fails: the
// runtime would not take up the next broker, and serve none from then on.
func (b broker) Close() error {
	closed := make(chan error, 1)
	go func() { closed <- b.PubSub.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			b.log.Warnf("a broker was left with: %v", err)
		}
	case <-time.After(lastClose):
		b.log.Warnf("a broker has not closed within %s, and is left all the same", lastClose)
	}
	return nil
}

// BulkSubscribe gathers as the runtime does for a component without bulk of its own.
func (b broker) BulkSubscribe(ctx context.Context, request pubsub.SubscribeRequest, handler pubsub.BulkHandler) error {
	return runtimepubsub.NewDefaultBulkSubscriber(ending{b.PubSub}).BulkSubscribe(ctx, request, handler)
}

// ending is a broker whose messages are answered for, whatever becomes of their handler.
type ending struct{ pubsub.PubSub }

func (e ending) Subscribe(ctx context.Context, request pubsub.SubscribeRequest, handler pubsub.Handler) error {
	return e.PubSub.Subscribe(ctx, request, func(each context.Context, message *pubsub.NewMessage) error {
		if ctx.Err() != nil {
			// read ahead by the broker's client, and nobody gathers any more
			return ctx.Err()
		}
		answer := make(chan error, 1)
		go func() { answer <- handler(each, message) }()
		select {
		case err := <-answer:
			return err
		case <-ctx.Done():
		}
		patience := time.NewTimer(lastAnswer)
		defer patience.Stop()
		select {
		case err := <-answer:
			return err
		case <-patience.C:
			// not handled as far as anybody knows: the broker keeps it
			return ctx.Err()
		}
	})
}
