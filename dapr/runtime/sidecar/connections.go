package sidecar

import "net/http"

// Calls to one endpoint that come together; the services allow themselves as many (`PAYMENTS_CONCURRENCY`).
const together = 64

// keepConnections lets the transports of HTTPEndpoints, copies of Go's default, keep the connections that calls come
// back on. Go's two would have all but two of a dozen charges open one each, and with it, where there is TLS, shake hands.
func keepConnections() {
	if transport, ok := http.DefaultTransport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = together
	}
}
