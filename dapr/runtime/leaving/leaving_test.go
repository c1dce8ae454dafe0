package leaving

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/dapr/components-contrib/health"
	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/components-contrib/pubsub"
	"github.com/dapr/kit/logger"
)

// redis stands for a broker that, like it, closes only once every message is answered.
type redis struct {
	running sync.WaitGroup
	handler pubsub.Handler
	ctx     context.Context
}

func (r *redis) Init(context.Context, pubsub.Metadata) error           { return nil }
func (r *redis) Features() []pubsub.Feature                            { return nil }
func (r *redis) Publish(context.Context, *pubsub.PublishRequest) error { return nil }
func (r *redis) GetComponentMetadata() (info metadata.MetadataMap)     { return nil }
func (r *redis) Close() error                                          { r.running.Wait(); return nil }
func (r *redis) Subscribe(ctx context.Context, _ pubsub.SubscribeRequest, handler pubsub.Handler) error {
	r.ctx, r.handler = ctx, handler
	return nil
}

// hand hands a message out and returns where its answer will be.
func (r *redis) hand() <-chan error {
	answer := make(chan error, 1)
	r.running.Go(func() { answer <- r.handler(r.ctx, &pubsub.NewMessage{Topic: "t", Data: []byte("{}")}) })
	return answer
}

func subscribed(t *testing.T, handler pubsub.BulkHandler) (*redis, pubsub.PubSub, context.CancelFunc) {
	t.Helper()
	inner := &redis{}
	outer := Promptly(func(logger.Logger) pubsub.PubSub { return inner })(logger.NewLogger("test"))
	ctx, cancel := context.WithCancel(context.Background())
	request := pubsub.SubscribeRequest{Topic: "t", BulkSubscribeConfig: pubsub.BulkSubscribeConfig{MaxMessagesCount: 10, MaxAwaitDurationMs: 5}}
	if err := outer.(pubsub.BulkSubscriber).BulkSubscribe(ctx, request, handler); err != nil {
		t.Fatal(err)
	}
	return inner, outer, cancel
}

type (
	pinging struct{ redis }
	bulk    struct{ redis }
	able    struct{ bulk }
)

func (*pinging) Ping(context.Context) error { return nil }
func (*able) Ping(context.Context) error    { return nil }
func (*bulk) BulkPublish(context.Context, *pubsub.BulkPublishRequest) (answer pubsub.BulkPublishResponse, err error) {
	return answer, nil
}

func TestWhatABrokerCanDoItCanStillDo(t *testing.T) {
	for _, inner := range []pubsub.PubSub{&redis{}, &pinging{}, &bulk{}, &able{}} {
		outer := Promptly(func(logger.Logger) pubsub.PubSub { return inner })(logger.NewLogger("test"))
		_, pinged := inner.(health.Pinger)
		_, published := inner.(pubsub.BulkPublisher)
		_, pings := outer.(health.Pinger)
		_, publishes := outer.(pubsub.BulkPublisher)
		_, subscribes := outer.(pubsub.BulkSubscriber)
		if pings != pinged || publishes != published || !subscribes {
			t.Errorf("%T: pings %t, publishes %t, subscribes %t", inner, pings, publishes, subscribes)
		}
	}
}

func closes(t *testing.T, broker pubsub.PubSub) {
	t.Helper()
	done := make(chan struct{})
	go func() { _ = broker.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("the broker is not let go of")
	}
}

func TestWhatIsHandledIsAnswered(t *testing.T) {
	inner, outer, cancel := subscribed(t, func(_ context.Context, batch *pubsub.BulkMessage) ([]pubsub.BulkSubscribeResponseEntry, error) {
		return make([]pubsub.BulkSubscribeResponseEntry, len(batch.Entries)), nil
	})
	if err := <-inner.hand(); err != nil {
		t.Error(err)
	}
	cancel()
	closes(t, outer)
}

func TestAMessageThatTheRuntimeForgetsIsLeftWithTheBrokerAndHoldsNobody(t *testing.T) {
	inner, outer, cancel := subscribed(t, func(ctx context.Context, _ *pubsub.BulkMessage) ([]pubsub.BulkSubscribeResponseEntry, error) {
		<-ctx.Done()
		// as the runtime does where a subscription ends in the middle of a batch: answers that name no message
		return make([]pubsub.BulkSubscribeResponseEntry, 1), context.Canceled
	})
	begun := inner.hand()
	cancel()
	late := inner.hand()
	closes(t, outer)
	for _, answer := range []<-chan error{begun, late} {
		if err := <-answer; !errors.Is(err, context.Canceled) {
			t.Errorf("answered with %v, so that the broker takes it for handled", err)
		}
	}
}

func TestAnAppThatIsAboutToAnswerIsHeard(t *testing.T) {
	begun := make(chan struct{})
	inner, outer, cancel := subscribed(t, func(context.Context, *pubsub.BulkMessage) ([]pubsub.BulkSubscribeResponseEntry, error) {
		close(begun)
		time.Sleep(lastAnswer / 4)
		return nil, nil
	})
	answer := inner.hand()
	<-begun
	cancel()
	if err := <-answer; err != nil {
		t.Errorf("it was handled, and %v was said", err)
	}
	closes(t, outer)
}
