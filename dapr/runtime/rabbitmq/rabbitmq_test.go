package rabbitmq

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	contribmetadata "github.com/dapr/components-contrib/metadata"
	"github.com/dapr/components-contrib/pubsub"
	"github.com/dapr/kit/logger"
)

// reader stands for upstream's component; one that hangs is what its Close does when it meets its own reader.
type reader struct {
	properties map[string]string
	topics     []string
	hangs      bool
	closed     chan struct{}
}

func (r *reader) Init(_ context.Context, given pubsub.Metadata) error {
	r.properties = given.Properties
	return nil
}
func (r *reader) Features() []pubsub.Feature                               { return nil }
func (r *reader) Publish(context.Context, *pubsub.PublishRequest) error    { return nil }
func (r *reader) GetComponentMetadata() (info contribmetadata.MetadataMap) { return nil }
func (r *reader) Subscribe(_ context.Context, request pubsub.SubscribeRequest, _ pubsub.Handler) error {
	r.topics = append(r.topics, request.Topic)
	return nil
}
func (r *reader) Close() error {
	close(r.closed)
	if r.hangs {
		select {}
	}
	return errors.New("504 channel/connection is not open")
}

func reading(t *testing.T, hangs bool, topics ...string) (*broker, []*reader) {
	t.Helper()
	var (
		lock    sync.Mutex
		readers []*reader
	)
	found := New(logger.NewLogger("test")).(*broker)
	found.create = func(logger.Logger) pubsub.PubSub {
		lock.Lock()
		defer lock.Unlock()
		readers = append(readers, &reader{hangs: hangs, closed: make(chan struct{})})
		return readers[len(readers)-1]
	}
	for _, topic := range topics {
		if err := found.Subscribe(context.Background(), pubsub.SubscribeRequest{Topic: topic}, nil); err != nil {
			t.Fatal(err)
		}
	}
	return found, readers
}

func TestEachTopicHasAReaderOfItsOwn(t *testing.T) {
	broker, readers := reading(t, false, "a", "b")
	if len(readers) != 2 || len(readers[0].topics) != 1 || len(readers[1].topics) != 1 {
		t.Fatalf("%d readers", len(readers))
	}
	if err := broker.Close(); err != nil {
		t.Error(err)
	}
	for _, each := range readers {
		select {
		case <-each.closed:
		default:
			t.Error("left open")
		}
	}
}

func TestAReaderWhoseSubscriptionEndsIsClosedWhileTheOthersReadOn(t *testing.T) {
	broker, _ := reading(t, false)
	ctx, cancel := context.WithCancel(context.Background())
	ended, stays := &reader{closed: make(chan struct{})}, &reader{closed: make(chan struct{})}
	for ctx, each := range map[context.Context]*reader{ctx: ended, context.Background(): stays} {
		broker.create = func(logger.Logger) pubsub.PubSub { return each }
		if err := broker.Subscribe(ctx, pubsub.SubscribeRequest{Topic: "t"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	select {
	case <-ended.closed:
	case <-time.After(10 * time.Second):
		t.Error("it was not closed")
	}
	select {
	case <-stays.closed:
		t.Error("the other was closed as well")
	default:
	}
}

func TestAReaderThatHangsHoldsNobody(t *testing.T) {
	broker, _ := reading(t, true, "t")
	done := make(chan error)
	go func() { done <- broker.Close() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * patience):
		t.Error("it hangs")
	}
}
