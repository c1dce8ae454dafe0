package sidecar

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// counted is a server that answers a round of calls when all have come, and counts the connections they came on.
func counted(round int) (server *httptest.Server, opened *atomic.Int32) {
	opened = &atomic.Int32{}
	var lock sync.Mutex
	arrived, all := 0, make(chan struct{})
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		lock.Lock()
		mine := all
		if arrived++; arrived == round {
			arrived, all = 0, make(chan struct{})
			close(mine)
		}
		lock.Unlock()
		<-mine
		w.WriteHeader(http.StatusNoContent)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	return server, opened
}

func TestCallsThatComeTogetherComeBackOnTheirConnections(t *testing.T) {
	keepConnections()
	const calls = 12
	server, opened := counted(calls)
	defer server.Close()
	// as the runtime makes the transport of an endpoint
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	for range 3 {
		var round sync.WaitGroup
		for range calls {
			round.Go(func() {
				answer, err := client.Get(server.URL)
				if err != nil {
					t.Error(err)
					return
				}
				answer.Body.Close()
			})
		}
		round.Wait()
	}
	if opened.Load() != calls {
		t.Errorf("%d calls at a time opened %d connections in three rounds", calls, opened.Load())
	}
}
