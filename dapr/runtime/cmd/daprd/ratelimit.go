package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	contribmiddleware "github.com/dapr/components-contrib/middleware"
	"github.com/dapr/kit/metadata"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// rateLimit takes the place of upstream's middleware of the same type and field, so that an installed daprd reads the same
// YAML. Upstream's counts each path of an address apart and keeps every pair for ten years: ids in paths escape the
// limit and fill the memory. It also takes any X-Forwarded-For for the address; this one puts the address it found in
// its place, so that services know where a request came from.
type rateLimit struct {
	MaxRequestsPerSecond float64 `mapstructure:"maxRequestsPerSecond"`
	// TrustedProxies lists the networks whose word on X-Forwarded-For counts; upstream's takes no notice of it.
	TrustedProxies string `mapstructure:"trustedProxies"`

	proxies []netip.Prefix
	buckets *lru.Cache[netip.Addr, *rate.Limiter]
}

// Whoever was seen least recently is forgotten first: about 10 MB at most.
const addressesKept = 1 << 16

// What one customer holds of IPv6.
const ownNetworkV6 = 64

const tooMany = `{"type":"/problems/too-many-requests","title":"Too many requests","status":429,` +
	`"detail":"This address asks too often: wait a second."}`

func newRateLimit(meta contribmiddleware.Metadata) (func(http.Handler) http.Handler, error) {
	limit := rateLimit{MaxRequestsPerSecond: 100}
	if err := metadata.DecodeMetadata(meta.Properties, &limit); err != nil {
		return nil, err
	}
	if limit.MaxRequestsPerSecond <= 0 {
		return nil, fmt.Errorf("maxRequestsPerSecond must be above 0")
	}
	for _, network := range strings.FieldsFunc(limit.TrustedProxies, func(r rune) bool { return r == ',' || r == ' ' }) {
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			return nil, fmt.Errorf("trustedProxies: %w", err)
		}
		limit.proxies = append(limit.proxies, prefix)
	}
	limit.buckets, _ = lru.New[netip.Addr, *rate.Limiter](addressesKept)
	return limit.handler, nil
}

// GetHandler lets limit stand where extras.go expects upstream's middleware.
func (rateLimit) GetHandler(_ context.Context, meta contribmiddleware.Metadata) (func(http.Handler) http.Handler, error) {
	return newRateLimit(meta)
}

func (limit *rateLimit) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		client := limit.client(request)
		// What follows the edge is told whom we counted, and not what the client says of itself.
		request.Header.Set("X-Forwarded-For", client.String())
		if limit.bucket(client).Allow() {
			next.ServeHTTP(writer, request)
			return
		}
		writer.Header().Set("Content-Type", "application/problem+json")
		writer.Header().Set("Retry-After", "1")
		writer.WriteHeader(http.StatusTooManyRequests)
		_, _ = writer.Write([]byte(tooMany))
	})
}

func (limit *rateLimit) bucket(client netip.Addr) *rate.Limiter {
	if known, ok := limit.buckets.Get(client); ok {
		return known
	}
	// A second's worth at once; two requests that find none at the same moment cost one of them its count.
	fresh := rate.NewLimiter(rate.Limit(limit.MaxRequestsPerSecond), max(1, int(limit.MaxRequestsPerSecond)))
	limit.buckets.Add(client, fresh)
	return fresh
}

// client returns whom to count: the sender, or whom a trusted proxy names last.
func (limit *rateLimit) client(request *http.Request) netip.Addr {
	host, _, _ := net.SplitHostPort(request.RemoteAddr)
	sender, _ := netip.ParseAddr(host)
	sender = sender.Unmap()
	for _, proxy := range limit.proxies {
		if proxy.Contains(sender) {
			named := strings.Split(strings.Join(request.Header.Values("X-Forwarded-For"), ","), ",")
			if last, err := netip.ParseAddr(strings.TrimSpace(named[len(named)-1])); err == nil {
				sender = last.Unmap()
			}
			break
		}
	}
	if sender.Is6() {
		network, _ := sender.WithZone("").Prefix(ownNetworkV6)
		return network.Addr()
	}
	return sender
}
