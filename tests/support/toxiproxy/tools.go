//go:build tools

// Package toxiproxy names what the tests build: a proxy whose links can be made slow, mute or shut.
package toxiproxy

import _ "github.com/Shopify/toxiproxy/v2/cmd/server"
