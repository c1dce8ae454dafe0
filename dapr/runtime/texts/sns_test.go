package texts

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/dapr/components-contrib/bindings"
	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/kit/logger"
)

const accepted = `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>` +
	`<MessageId>1</MessageId></PublishResult></PublishResponse>`

func carrier(t *testing.T, status int, answer string) (bindings.OutputBinding, *[]url.Values) {
	t.Helper()
	seen := []url.Values{}
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if err := request.ParseForm(); err != nil {
			t.Error(err)
		}
		seen = append(seen, request.PostForm)
		writer.WriteHeader(status)
		_, _ = writer.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	made := New(logger.NewLogger("test"))
	properties := map[string]string{
		"region": "eu-central-1", "accessKey": "AKIA", "secretKey": "secret", "endpoint": server.URL,
		"topicArn": "arn:aws:sns:eu-central-1:1:news",
	}
	if err := made.Init(context.Background(), bindings.Metadata{Base: metadata.Base{Properties: properties}}); err != nil {
		t.Fatal(err)
	}
	return made, &seen
}

func invoke(made bindings.OutputBinding, data string, said map[string]string) error {
	_, err := made.Invoke(context.Background(), &bindings.InvokeRequest{Data: []byte(data), Metadata: said})
	return err
}

func TestATextMessageGoesToItsNumberAndNoTopic(t *testing.T) {
	made, seen := carrier(t, http.StatusOK, accepted)
	said := map[string]string{"toNumber": "+4930123456", "X-To-Number": "+4930123456"}
	if err := invoke(made, `"Ihre Bestellung \"A-1\" für Sie"`, said); err != nil {
		t.Fatal(err)
	}
	form := (*seen)[0]
	if form.Get("PhoneNumber") != "+4930123456" || form.Get("Message") != `Ihre Bestellung "A-1" für Sie` || form.Has("TopicArn") {
		t.Error(form)
	}
}

func TestWhatHasNoNumberIsUpstreams(t *testing.T) {
	made, seen := carrier(t, http.StatusOK, accepted)
	if err := invoke(made, `{"message": "hello", "subject": "hi"}`, nil); err != nil {
		t.Fatal(err)
	}
	if form := (*seen)[0]; form.Get("TopicArn") == "" || form.Get("Message") != "hello" || form.Has("PhoneNumber") {
		t.Error(form)
	}
}

func TestARefusalIsToldAndNothingIsSentASecondTime(t *testing.T) {
	for status, code := range map[int]string{http.StatusBadRequest: "InvalidParameter", http.StatusServiceUnavailable: "Busy"} {
		made, seen := carrier(t, status, "<ErrorResponse><Error><Code>"+code+"</Code><Message>no</Message></Error></ErrorResponse>")
		err := invoke(made, `"hello"`, map[string]string{"toNumber": "+4930123456"})
		if err == nil || !strings.Contains(err.Error(), "operation error SNS") || !strings.Contains(err.Error(), code) {
			t.Error(err)
		}
		if len(*seen) != 1 {
			t.Errorf("asked %d times", len(*seen))
		}
	}
}
