// Buys something: `client http` through the edge, `client grpc` through a sidecar of one's own, by Dapr's SDK.
//
// Reads SIDECART_EDGE_URL, DAPR_* (`sidecart env partner`) and SKU; prints one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	result, err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(result)
}

func run(ctx context.Context, args []string) (*visit, error) {
	if len(args) != 1 || (args[0] != "http" && args[0] != "grpc") {
		return nil, fmt.Errorf("usage: client http|grpc")
	}
	if args[0] == "http" {
		return shop(ctx, overHTTP(os.Getenv("SIDECART_EDGE_URL")))
	}
	// A connection of our own: on the SDK's, an API token takes the place of all other metadata.
	address := "127.0.0.1:" + os.Getenv("DAPR_GRPC_PORT")
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	dapr.SetLogger(nil) // it would write to standard output
	sdk := dapr.NewClientWithConnection(connection)
	defer sdk.Close()
	return shop(ctx, overGRPC(sdk, os.Getenv("DAPR_API_TOKEN")))
}
