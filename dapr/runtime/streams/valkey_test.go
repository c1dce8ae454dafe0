package streams

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/dapr/components-contrib/pubsub"
	"github.com/redis/go-redis/v9"
)

const password = "known to the tests"

// valkey returns the address of a real server, of which it starts a process; whoever runs the tests says which.
func valkey(t testing.TB, more ...string) (string, *redis.Client) {
	t.Helper()
	program := os.Getenv("SIDECART_VALKEY_SERVER")
	if program == "" {
		t.Skip("SIDECART_VALKEY_SERVER names no server")
	}
	port := free(t)
	address := net.JoinHostPort("127.0.0.1", port)
	said := []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(), "--requirepass", password}
	server := exec.Command(program, append(said, more...)...)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	operator := redis.NewClient(&redis.Options{Addr: address, Password: password, MaxRetries: -1})
	t.Cleanup(func() { _ = operator.Close(); _ = server.Process.Kill(); _ = server.Wait() })
	eventually(t, "it does not start", func() bool { return operator.Ping(context.Background()).Err() == nil })
	return address, operator
}

func free(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

func stored(t *testing.T, operator *redis.Client, topic string) []map[string]any {
	t.Helper()
	messages, err := operator.XRange(context.Background(), topic, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	found := []map[string]any{}
	for _, each := range messages {
		found = append(found, each.Values)
	}
	return found
}

func TestAReaderCannotTellABatchFromSingleMessages(t *testing.T) {
	address, operator := valkey(t)
	broker := connected(t, address, fields{"redisPassword": password, "streamTTL": "1h"})
	request := batch("bulk", "a", "", "\x00\xff\r\n", "{\"ü\": \"<>\"}")
	for i := range request.Entries {
		request.Entries[i].Metadata = fields{"traceparent": "00-<&>", "n": fmt.Sprint(i)}
	}
	request.Entries[0].Metadata = nil
	if failed, err := publish(context.Background(), broker, request); len(failed) > 0 {
		t.Fatal(err)
	}
	for _, entry := range request.Entries {
		one := &pubsub.PublishRequest{Topic: "single", Data: entry.Event, Metadata: entry.Metadata}
		if err := broker.Publish(context.Background(), one); err != nil {
			t.Fatal(err)
		}
	}
	if single, bulk := stored(t, operator, "single"), stored(t, operator, "bulk"); fmt.Sprint(single) != fmt.Sprint(bulk) {
		t.Errorf("%q instead of %q", bulk, single)
	}
	read := map[string][]string{}
	for _, topic := range []string{"single", "bulk"} {
		read[topic] = readBy(t, broker, topic, len(request.Entries))
	}
	if !slices.Equal(read["single"], read["bulk"]) {
		t.Errorf("read %q instead of %q", read["bulk"], read["single"])
	}
}

// readBy returns what a reader of the topic is handed, sorted: it has workers side by side.
func readBy(t *testing.T, broker pubsub.PubSub, topic string, count int) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	handed, found := make(chan string, count), []string{}
	handle := func(_ context.Context, message *pubsub.NewMessage) error {
		handed <- fmt.Sprintf("%q %v", message.Data, message.Metadata)
		return nil
	}
	if err := broker.Subscribe(ctx, pubsub.SubscribeRequest{Topic: topic}, handle); err != nil {
		t.Fatal(err)
	}
	for range count {
		found = append(found, <-handed)
	}
	slices.Sort(found)
	return found
}

func TestARelaysBatchIsKeptInItsOrder(t *testing.T) {
	address, operator := valkey(t)
	broker := connected(t, address, fields{"redisPassword": password})
	events := []string{}
	for i := range 500 {
		events = append(events, fmt.Sprint(i, strings.Repeat("x", 1_000)))
	}
	if failed, err := publish(context.Background(), broker, batch("t", events...)); len(failed) > 0 {
		t.Fatal(err)
	}
	for i, each := range stored(t, operator, "t") {
		if each["data"] != events[i] {
			t.Fatalf("%d is not where it was", i)
		}
	}
}

func TestAClusterKeepsABatchAsWell(t *testing.T) {
	address, operator := valkey(t, "--cluster-enabled", "yes", "--cluster-port", free(t))
	ctx := context.Background()
	if err := operator.ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is not up", func() bool { return strings.Contains(operator.ClusterInfo(ctx).Val(), "cluster_state:ok") })
	broker := connected(t, address, fields{"redisPassword": password, "redisType": "cluster"})
	for _, topic := range []string{"one", "other"} {
		if failed, err := publish(ctx, broker, batch(topic, "a", "b", "c")); len(failed) > 0 || err != nil {
			t.Errorf("%v: %v", failed, err)
		}
		if found := fmt.Sprint(stored(t, operator, topic)); found != "[map[data:a] map[data:b] map[data:c]]" {
			t.Errorf("%s: %s", topic, found)
		}
	}
}

func TestWhatAServerRefusesIsNamed(t *testing.T) {
	address, operator := valkey(t)
	broker, ctx := connected(t, address, fields{"redisPassword": password}), context.Background()
	// what a topic's name stands for may be no stream
	if err := operator.Set(ctx, "taken", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if failed, err := publish(ctx, broker, batch("taken", "a", "b")); len(failed) != 2 || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("%v: %v", failed, err)
	}
	// Longer than it bears, so that it cuts the connection in the middle of a batch.
	if err := operator.ConfigSet(ctx, "proto-max-bulk-len", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 8<<20)
	if failed, err := publish(ctx, broker, batch("t", "a", long, "b")); len(failed) != 1 || failed[0] != long {
		t.Errorf("%d failed: %.200v", len(failed), err)
	}
	found := stored(t, operator, "t")
	if first, last := found[0]["data"], found[len(found)-1]["data"]; first != "a" || last != "b" {
		t.Errorf("%v ... %v", first, last)
	}
}
