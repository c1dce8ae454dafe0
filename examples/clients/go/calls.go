package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// call asks a service by app-id and decodes its answer; path may carry a query.
type call func(ctx context.Context, appID, verb, path string, headers map[string]string, body, answer any) error

// refused says that a call was not let through, by the status that it ended with.
type refused string

func (r refused) Error() string { return "refused: " + string(r) }

// overHTTP calls through the edge, with nothing but HTTP.
func overHTTP(edge string) call {
	return func(ctx context.Context, appID, verb, path string, headers map[string]string, body, answer any) error {
		content, err := json.Marshal(body)
		if err != nil {
			return err
		}
		url := fmt.Sprintf("%s/v1.0/invoke/%s/method/%s", edge, appID, path)
		request, err := http.NewRequestWithContext(ctx, verb, url, bytes.NewReader(content))
		if err != nil {
			return err
		}
		request.Header.Set("content-type", "application/json")
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode >= http.StatusBadRequest {
			return refused(fmt.Sprint(response.StatusCode))
		}
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, answer)
	}
}

// overGRPC calls through Dapr's gRPC API: headers travel as metadata.
func overGRPC(sdk dapr.Client, token string) call {
	return func(ctx context.Context, appID, verb, path string, headers map[string]string, body, answer any) error {
		content, err := json.Marshal(body)
		if err != nil {
			return err
		}
		ctx = metadata.AppendToOutgoingContext(ctx, "dapr-api-token", token)
		for name, value := range headers {
			ctx = metadata.AppendToOutgoingContext(ctx, name, value)
		}
		data := &dapr.DataContent{Data: content, ContentType: "application/json"}
		text, err := sdk.InvokeMethodWithContent(ctx, appID, path, strings.ToLower(verb), data)
		if err != nil {
			if code := status.Code(err); code != codes.Unknown {
				return refused(strings.ToUpper(code.String()))
			}
			return err
		}
		return json.Unmarshal(text, answer)
	}
}
