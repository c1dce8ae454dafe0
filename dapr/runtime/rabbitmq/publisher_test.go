package rabbitmq

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/components-contrib/pubsub"
)

func given(properties map[string]string) pubsub.Metadata {
	return pubsub.Metadata{Base: metadata.Base{Properties: properties}}
}

func TestTheAddressIsReadAsUpstreamReadsIt(t *testing.T) {
	for want, properties := range map[string]map[string]string{
		"amqp://localhost":            {},
		"amqps://me:p%2Fw@there:5671": {"protocol": "amqps", "hostname": "there:5671", "username": "me", "password": "p/w"},
		"amqp://elsewhere":            {"connectionString": "amqp://elsewhere", "hostname": "there"},
		"amqp://of-old":               {"host": "amqp://of-old"},
	} {
		found, err := read(given(properties))
		if err != nil || found.uri() != want {
			t.Errorf("%v: %s, %v", properties, found.uri(), err)
		}
	}
}

func TestAMessageCarriesWhatTheRequestSays(t *testing.T) {
	found, err := read(given(map[string]string{"deliveryMode": "2", "ttlInSeconds": "5"}))
	if err != nil {
		t.Fatal(err)
	}
	usual := found.message([]byte("x"), nil)
	if usual.DeliveryMode != 2 || usual.Expiration != "5000" || usual.Priority != 0 {
		t.Errorf("%+v", usual)
	}
	special := found.message(nil, map[string]string{"ttlInSeconds": "1", "priority": "7"})
	if special.Expiration != "1000" || special.Priority != 7 {
		t.Errorf("%+v", special)
	}
}

func TestABrokerThatSaysNothingFailsEachEntry(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	go func() {
		connection, err := mute.Accept()
		if err == nil {
			_, _ = io.Copy(io.Discard, connection)
		}
	}()
	found, err := read(given(map[string]string{"hostname": mute.Addr().String()}))
	if err != nil {
		t.Fatal(err)
	}
	entries := []pubsub.BulkMessageEntry{{EntryId: "a"}, {EntryId: "b"}}
	publisher := &publisher{settings: found}
	began := time.Now()
	answer, err := publisher.publish(context.Background(), &pubsub.BulkPublishRequest{Topic: "t", Entries: entries})
	if err == nil || len(answer.FailedEntries) != len(entries) {
		t.Errorf("%v: %v", answer, err)
	}
	if took := time.Since(began); took > 10*answers {
		t.Errorf("after %s", took)
	}
}
