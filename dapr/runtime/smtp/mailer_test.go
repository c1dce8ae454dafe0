package smtp

import (
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dapr/components-contrib/bindings"
	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/kit/logger"
)

type fields = map[string]string

func mailer(t testing.TB, to *server, more fields) *Mailer {
	t.Helper()
	properties := fields{"host": "127.0.0.1", "port": to.port(), "emailFrom": "shop@example.org"}
	for name, value := range more {
		properties[name] = value
	}
	made := New(logger.NewLogger("test")).(*Mailer)
	if err := made.Init(context.Background(), bindings.Metadata{Base: metadata.Base{Properties: properties}}); err != nil {
		t.Fatal(err)
	}
	made.pool.bulkFor = time.Minute
	t.Cleanup(func() { _ = made.Close() })
	return made
}

func send(m *Mailer, data string, said fields) error {
	return sendWithin(context.Background(), m, data, said)
}

func sendWithin(ctx context.Context, m *Mailer, data string, said fields) error {
	asked := fields{"emailTo": "ada@example.org", "subject": "Hello"}
	for name, value := range said {
		asked[name] = value
	}
	_, err := m.Invoke(ctx, &bindings.InvokeRequest{Data: []byte(data), Metadata: asked})
	return err
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func latest(t *testing.T, s *server) (received, *mail.Message) {
	t.Helper()
	kept := s.kept()
	last := kept[len(kept)-1]
	message, err := mail.ReadMessage(strings.NewReader(last.text))
	must(t, err)
	return last, message
}

func TestManyAtOnceReachTheirOwnReaders(t *testing.T) {
	s := serve(t)
	m := mailer(t, s, nil)
	const mails = 600
	everybody := sync.WaitGroup{}
	for number := range mails {
		everybody.Go(func() {
			name := fmt.Sprintf("reader-%d", number)
			said := fields{"emailTo": name + "@example.org", "subject": name, "textBody": name}
			if number%2 == 0 {
				said["emailCC"] = "cc-" + said["emailTo"]
			}
			if err := send(m, "<p>"+name+"</p>", said); err != nil {
				t.Error(err)
			}
		})
	}
	everybody.Wait()
	kept := s.kept()
	if len(kept) != mails {
		t.Fatalf("%d of %d mails arrived", len(kept), mails)
	}
	for _, one := range kept {
		name := strings.TrimSuffix(one.to[0], "@example.org")
		number := 0
		_, err := fmt.Sscanf(name, "reader-%d", &number)
		must(t, err)
		wanted := 2 - number%2
		if len(one.to) != wanted || !strings.Contains(one.text, "Subject: "+name+"\r\n") || strings.Count(one.text, name+"</p>") != 1 {
			t.Fatalf("mixed up: %v\n%s", one.to, one.text)
		}
	}
	if opened := s.greeted(); opened > atOnce+mails/mailsEach {
		t.Errorf("%d connections for %d mails", opened, mails)
	}
}

func TestNothingOfOneRequestIsLeftForTheNext(t *testing.T) {
	s := serve(t)
	m := mailer(t, s, fields{"emailBCC": "archive@example.org", "priority": "4"})
	must(t, send(m, "a", fields{"emailCC": "cc@example.org", "emailBCC": "b@example.org", "priority": "1", "textBody": "x", "messageId": "1@a"}))
	must(t, send(m, "b", nil))
	last, message := latest(t, s)
	if got := strings.Join(last.to, " "); got != "ada@example.org archive@example.org" {
		t.Errorf("went to %s", got)
	}
	head := message.Header
	if head.Get("Cc") != "" || head.Get("Bcc") != "" || head.Get("X-Priority") != "4" || head.Get("Message-Id") != "" {
		t.Errorf("headers %v", head)
	}
	if !strings.HasPrefix(head.Get("Content-Type"), "text/html") {
		t.Errorf("it is %s", head.Get("Content-Type"))
	}
}

func TestATextPartAndHeadersOfTheSenders(t *testing.T) {
	s := serve(t)
	link := "https://shop.example/u?t=" + strings.Repeat("abc", 60)
	must(t, send(mailer(t, s, nil), `"<p>Gr\u00fc\u00dfe &amp; \ud83d\ude00</p>"`, fields{
		"subject": "Ihre Bestellung ist bestätigt", "textBody": "Grüße\n.\n..ende", "listUnsubscribe": link, "messageId": "<m-1@shop.example>",
	}))
	_, message := latest(t, s)
	headers := fields{
		"Message-Id": "<m-1@shop.example>", "List-Unsubscribe": "<" + link + ">",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "X-Priority": "3",
	}
	for name, wanted := range headers {
		if got := message.Header.Get(name); got != wanted {
			t.Errorf("%s is %q", name, got)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	must(t, err)
	if subject != "Ihre Bestellung ist bestätigt" {
		t.Errorf("the subject is %q", subject)
	}
	kind, told, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	must(t, err)
	if kind != "multipart/alternative" {
		t.Fatalf("it is %s", kind)
	}
	parts := multipart.NewReader(message.Body, told["boundary"])
	for _, wanted := range []struct{ kind, says string }{{"text/plain", "Grüße\n.\n..ende"}, {"text/html", "<p>Grüße &amp; 😀</p>"}} {
		part, err := parts.NextRawPart()
		must(t, err)
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		must(t, err)
		says := strings.ReplaceAll(string(text), "\r\n", "\n")
		if !strings.HasPrefix(part.Header.Get("Content-Type"), wanted.kind) || says != wanted.says {
			t.Errorf("%s says %q", part.Header.Get("Content-Type"), says)
		}
	}
}

func TestWhatCouldForgeAHeaderIsRefusedForGoodAndNeverSent(t *testing.T) {
	s := serve(t)
	m := mailer(t, s, nil)
	const evil = "x\r\nBcc: eve@example.org"
	for _, said := range []fields{
		{"subject": evil}, {"emailTo": "ada@example.org\r\nBcc: eve@example.org"}, {"emailCC": evil}, {"emailFrom": evil},
		{"subject": "a\nb"}, {"messageId": "a@b\r\nX: y"}, {"messageId": "no at"}, {"listUnsubscribe": "https://a/\r\nX: y"},
		{"listUnsubscribe": "https://a/>, <https://b/"}, {"listUnsubscribe": "javascript:alert(1)"}, {"listUnsubscribe": "https://"},
	} {
		err := send(m, "x", said)
		if err == nil || !strings.Contains(err.Error(), "could not send email 1: 554 5.6.0 not sent: ") {
			t.Errorf("%q: %v", said, err)
		}
	}
	if err := send(m, "x", fields{"emailTo": "nobody"}); err == nil || !strings.Contains(err.Error(), "gomail: invalid address") {
		t.Errorf("an address that is none: %v", err)
	}
	if s.greeted() > 0 {
		t.Error("the server was troubled with one of them")
	}
}

func TestAComponentThatIsWrongSaysSo(t *testing.T) {
	for _, wrong := range []fields{{}, {"host": "a"}, {"host": "a", "port": "1", "user": "u"}, {"host": "a", "port": "1", "priority": "9"}} {
		if err := New(logger.NewLogger("test")).Init(context.Background(), bindings.Metadata{Base: metadata.Base{Properties: wrong}}); err == nil {
			t.Errorf("%v was taken", wrong)
		}
	}
}
