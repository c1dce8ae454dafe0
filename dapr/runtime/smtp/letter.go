package smtp

import (
	"bytes"
	"encoding/json"
	"fmt"
	netmail "net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/gomail.v2"
)

// letter is a mail as it goes out: whom it comes from, whom it goes to, and its text with headers.
type letter struct {
	from string
	to   []string
	text []byte
}

// What goes between the angle brackets of a Message-ID; RFC 5322 without its comments and quotes.
var plainID = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]+@[A-Za-z0-9.-]+$`)

// A line of a header holds 998 octets, and a link must not be folded.
const longestValue = 900

// invalid says that a mail can never go out as it is asked for, as a mail server would: for good, and why.
func invalid(why string, arguments ...any) error {
	return fmt.Errorf("554 5.6.0 not sent: "+why, arguments...)
}

func compose(asked envelope, data []byte) (letter, error) {
	mail, message := letter{}, gomail.NewMessage()
	if err := asked.checkHeaders(); err != nil {
		return mail, err
	}
	if err := mail.address(asked, message); err != nil {
		return mail, err
	}
	message.SetHeader("Subject", asked.subject)
	message.SetHeader("X-priority", asked.priority)
	if asked.messageID != "" {
		message.SetHeader("Message-ID", "<"+bare(asked.messageID)+">")
	}
	if link := bare(asked.listUnsubscribe); link != "" {
		message.SetHeader("List-Unsubscribe", "<"+link+">")
		if !strings.HasPrefix(link, "mailto:") {
			// RFC 8058: one POST there is enough, so mail programs offer it as a button
			message.SetHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
		}
	}
	if asked.textBody != "" {
		// the last alternative is the best: text first
		message.SetBody("text/plain", asked.textBody)
		message.AddAlternative("text/html", body(data))
	} else {
		message.SetBody("text/html", body(data))
	}
	text := bytes.Buffer{}
	_, err := message.WriteTo(&text)
	mail.text = text.Bytes()
	return mail, err
}

// address writes who sends and who reads, into the headers and for the conversation; each reader once.
func (l *letter) address(asked envelope, message *gomail.Message) (err error) {
	message.SetHeader("From", asked.from)
	if l.from, err = parse(asked.from); err != nil {
		return err
	}
	// gomail keeps Bcc out of the text
	for _, field := range []struct{ name, value string }{{"To", asked.to}, {"Cc", asked.cc}, {"Bcc", asked.bcc}} {
		if field.value == "" {
			continue
		}
		listed := strings.Split(field.value, ";")
		message.SetHeader(field.name, listed...)
		for _, one := range listed {
			address, err := parse(one)
			if err != nil {
				return err
			}
			if !slices.Contains(l.to, address) {
				l.to = append(l.to, address)
			}
		}
	}
	return nil
}

// body takes the quotes off what came over HTTP as a JSON string; gRPC hands the bytes over as they are.
func body(data []byte) string {
	said := ""
	if err := json.Unmarshal(data, &said); err == nil {
		return said
	}
	return string(data)
}

func parse(address string) (string, error) {
	parsed, err := netmail.ParseAddress(address)
	if err != nil {
		return "", fmt.Errorf("gomail: invalid address %q: %w", address, err)
	}
	return parsed.Address, nil
}

func bare(value string) string { return strings.TrimSuffix(strings.TrimPrefix(value, "<"), ">") }

// checkHeaders refuses whatever could end a header and begin another.
func (e envelope) checkHeaders() error {
	for _, field := range []struct{ name, value string }{
		{"emailFrom", e.from}, {"emailTo", e.to}, {"emailCC", e.cc}, {"emailBCC", e.bcc}, {"subject", e.subject},
		{"messageId", e.messageID}, {"listUnsubscribe", e.listUnsubscribe},
	} {
		if strings.ContainsFunc(field.value, unicode.IsControl) {
			return invalid("%s holds a line break or another control character", field.name)
		}
	}
	if e.messageID != "" && (len(e.messageID) > longestValue || !plainID.MatchString(bare(e.messageID))) {
		return invalid("messageId must read as name@domain")
	}
	return checkLink(bare(e.listUnsubscribe))
}

func checkLink(link string) error {
	if link == "" {
		return nil
	}
	parsed, err := url.Parse(link)
	scheme := err == nil && (parsed.Scheme == "mailto" || parsed.Host != "" && (parsed.Scheme == "https" || parsed.Scheme == "http"))
	ascii := !strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' })
	if !scheme || !ascii || len(link) > longestValue {
		return invalid("listUnsubscribe must be one link, https or mailto, of %d characters at most", longestValue)
	}
	return nil
}
