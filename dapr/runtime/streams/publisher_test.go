package streams

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/components-contrib/pubsub"
	"github.com/dapr/kit/logger"
)

type fields = map[string]string

func connected(t testing.TB, address string, more fields) pubsub.PubSub {
	t.Helper()
	properties := fields{"redisHost": address, "consumerID": "reader"}
	maps.Copy(properties, more)
	found := New(logger.NewLogger("test"))
	given := pubsub.Metadata{Base: metadata.Base{Properties: properties}}
	if err := found.Init(context.Background(), given); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = found.Close() })
	return found
}

func batch(topic string, events ...string) *pubsub.BulkPublishRequest {
	request := &pubsub.BulkPublishRequest{Topic: topic}
	for i, event := range events {
		entry := pubsub.BulkMessageEntry{EntryId: "id of " + event, Event: []byte(events[i])}
		request.Entries = append(request.Entries, entry)
	}
	return request
}

// publish returns the events that failed.
func publish(ctx context.Context, broker pubsub.PubSub, request *pubsub.BulkPublishRequest) ([]string, error) {
	answer, err := broker.(pubsub.BulkPublisher).BulkPublish(ctx, request)
	failed := []string{}
	for _, each := range answer.FailedEntries {
		failed = append(failed, strings.TrimPrefix(each.EntryId, "id of "))
	}
	return failed, err
}

func TestABatchIsSentInOrderBeforeAnyAnswerIsHeard(t *testing.T) {
	s := serve(t)
	s.waits = 500
	events := make([]string, s.waits)
	for i := range events {
		events[i] = strconv.Itoa(i)
	}
	failed, err := publish(context.Background(), connected(t, s.listener.Addr().String(), nil), batch("t", events...))
	if len(failed) > 0 || err != nil {
		t.Fatalf("%v: %v", failed, err)
	}
	if !slices.Equal(s.entries(), events) {
		t.Errorf("in the order %v", s.entries())
	}
}

func TestWhatUpstreamSendsForAMessageIsSentForAnEntry(t *testing.T) {
	for _, given := range []fields{nil, {"maxLenApprox": "7"}, {"streamTTL": "48h"}, {"maxLenApprox": "7", "streamTTL": "1h"}} {
		for _, said := range []fields{nil, {}, {"rawPayload": "true", "ü": "\"<\n"}} {
			s := serve(t)
			broker := connected(t, s.listener.Addr().String(), given)
			for _, event := range []string{"", "{\"a\":\"<>\\u00fc\"}\r\n\x00"} {
				one := &pubsub.PublishRequest{Topic: "t", Data: []byte(event), Metadata: said}
				if err := broker.Publish(context.Background(), one); err != nil {
					t.Fatal(err)
				}
				request := batch("t", event)
				request.Entries[0].Metadata = said
				if _, err := publish(context.Background(), broker, request); err != nil {
					t.Fatal(err)
				}
			}
			for i := 0; i < len(s.heard); i += 2 {
				if want, found := comparable(t, s.heard[i]), comparable(t, s.heard[i+1]); !slices.Equal(want, found) {
					t.Errorf("%v: %q instead of %q", given, found, want)
				}
			}
		}
	}
}

// comparable returns a command with its fields sorted, and how many hours ago what it trims was written.
func comparable(t *testing.T, words []string) []string {
	t.Helper()
	begin := slices.Index(words, "*")
	for i, word := range words[:begin] {
		if since, of := strings.CutSuffix(word, "-1"); of {
			at, err := strconv.ParseInt(since, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			words[i] = time.Since(time.UnixMilli(at)).Round(time.Hour).String()
		}
	}
	pairs := slices.Collect(slices.Chunk(words[begin+1:], 2))
	slices.SortFunc(pairs, slices.Compare)
	return append(words[:begin+1:begin+1], slices.Concat(pairs...)...)
}

func TestAnEntryThatIsRefusedFailsByItself(t *testing.T) {
	s := serve(t)
	s.waits = 3
	s.says = func(_ int, entry string) string {
		if entry == "b" {
			return full
		}
		return taken
	}
	failed, err := publish(context.Background(), connected(t, s.listener.Addr().String(), nil), batch("t", "a", "b", "c"))
	if !slices.Equal(failed, []string{"b"}) || err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("%v: %v", failed, err)
	}
	if sent := s.entries(); len(sent) != 3 {
		t.Errorf("sent %v", sent)
	}
}

func TestWhatHadNoAnswerWhenTheConnectionWasCutIsSentAgainAndNothingElse(t *testing.T) {
	s := serve(t)
	cut := false
	s.says = func(_ int, entry string) string {
		if entry == "c" && !cut {
			cut = true
			return hangUp
		}
		return taken
	}
	failed, err := publish(context.Background(), connected(t, s.listener.Addr().String(), nil), batch("t", "a", "b", "c", "d"))
	if len(failed) > 0 || err != nil {
		t.Errorf("%v: %v", failed, err)
	}
	if sent := s.entries(); !slices.Equal(sent, []string{"a", "b", "c", "c", "d"}) {
		t.Errorf("sent %v", sent)
	}
}

func TestAnEntryThatCutsEveryConnectionHoldsUpNoOther(t *testing.T) {
	s := serve(t)
	s.says = hangingUpAt("poison")
	failed, err := publish(context.Background(), connected(t, s.listener.Addr().String(), nil), batch("t", "a", "poison", "b", "c"))
	if !slices.Equal(failed, []string{"poison"}) || err == nil {
		t.Errorf("%v: %v", failed, err)
	}
	if sent := s.entries(); !slices.Equal(sent, []string{"a", "poison", "poison", "b", "c"}) {
		t.Errorf("sent %v", sent)
	}
}

func TestWithoutRetriesAllThatHadNoAnswerFailed(t *testing.T) {
	s := serve(t)
	s.says = hangingUpAt("b")
	broker := connected(t, s.listener.Addr().String(), fields{"redisMaxRetries": "-1"})
	failed, err := publish(context.Background(), broker, batch("t", "a", "b", "c"))
	if !slices.Equal(failed, []string{"b", "c"}) || err == nil {
		t.Errorf("%v: %v", failed, err)
	}
}

func TestWhatWasTakenBeforeAnAnswerThatNobodyUnderstandsHasNotFailed(t *testing.T) {
	s := serve(t)
	s.says = func(_ int, entry string) string {
		if entry == "b" {
			return "?\r\n"
		}
		return taken
	}
	failed, err := publish(context.Background(), connected(t, s.listener.Addr().String(), nil), batch("t", "a", "b", "c"))
	if !slices.Equal(failed, []string{"b", "c"}) || err == nil {
		t.Errorf("%v: %v", failed, err)
	}
}

func TestWhoeverWaitsForAMuteServerWaitsAsLongAsHeMay(t *testing.T) {
	s := serve(t)
	s.waits = 3
	broker := connected(t, s.listener.Addr().String(), fields{"readTimeout": "1m"})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	failed, err := publish(ctx, broker, batch("t", "a", "b"))
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("after %s", took)
	}
	if !slices.Equal(failed, []string{"a", "b"}) || err == nil {
		t.Errorf("%v: %v", failed, err)
	}
	if sent := s.entries(); len(sent) > 2 {
		t.Errorf("sent %v", sent)
	}
}

func TestABrokerThatWasLeftHasNoConnectionAndTakesNothing(t *testing.T) {
	s := serve(t)
	broker := connected(t, s.listener.Addr().String(), nil)
	if failed, err := publish(context.Background(), broker, batch("t", "a")); len(failed) > 0 {
		t.Fatal(err)
	}
	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	if failed, err := publish(context.Background(), broker, batch("t", "b")); len(failed) != 1 || err == nil {
		t.Errorf("%v: %v", failed, err)
	}
	if sent := s.entries(); !slices.Equal(sent, []string{"a"}) {
		t.Errorf("sent %v", sent)
	}
	eventually(t, "a connection is left open", func() bool {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		return s.open == 0
	})
}

func TestABrokerThatIsGoneFailsEachEntry(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	found, err := newPublisher(fields{"redisHost": gone.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := found.BulkPublish(context.Background(), batch("t", "a", "b"))
	if len(answer.FailedEntries) != 2 || err == nil {
		t.Errorf("%v: %v", answer.FailedEntries, err)
	}
}
