package smtp

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/dapr/kit/metadata"
)

// settings are the component's fields; the lower seven may be said anew by each request.
type settings struct {
	Host          string `mapstructure:"host"`
	Port          int    `mapstructure:"port"`
	User          string `mapstructure:"user"`
	Password      string `mapstructure:"password"`
	SkipTLSVerify bool   `mapstructure:"skipTLSVerify"`
	EmailFrom     string `mapstructure:"emailFrom"`
	EmailTo       string `mapstructure:"emailTo"`
	EmailCC       string `mapstructure:"emailCC"`
	EmailBCC      string `mapstructure:"emailBCC"`
	Subject       string `mapstructure:"subject"`
	Priority      string `mapstructure:"priority"`
}

// envelope is what one request asks for: the component's fields, the request's own in their place, and what only a
// request can say.
type envelope struct {
	from, to, cc, bcc, subject, priority string
	textBody, listUnsubscribe, messageID string
	// The sender lost the answer to an earlier attempt: what was taken then is not sent again.
	maybeTaken bool
}

const (
	usualPriority = "3"
	maybeTaken    = "maybeTaken"
)

func read(properties map[string]string) (settings, error) {
	told := settings{}
	if err := metadata.DecodeMetadata(properties, &told); err != nil {
		return told, err
	}
	if told.Host == "" || told.Port == 0 {
		return told, errors.New("smtp binding error: host and port fields are required in metadata")
	}
	if (told.User == "") != (told.Password == "") {
		return told, errors.New("smtp binding error: both user and password fields are required in metadata")
	}
	if told.Priority == "" {
		told.Priority = usualPriority
	}
	return told, checkPriority(told.Priority)
}

// with returns what a request asks for. Nothing of it outlives the request.
func (s settings) with(request map[string]string) (envelope, error) {
	or := func(key, usual string) string {
		if said := request[key]; said != "" {
			return said
		}
		return usual
	}
	asked := envelope{
		from:            or("emailFrom", s.EmailFrom),
		to:              or("emailTo", s.EmailTo),
		cc:              or("emailCC", s.EmailCC),
		bcc:             or("emailBCC", s.EmailBCC),
		subject:         or("subject", s.Subject),
		priority:        or("priority", s.Priority),
		textBody:        request["textBody"],
		listUnsubscribe: request["listUnsubscribe"],
		messageID:       request["messageId"],
		maybeTaken:      request[maybeTaken] == "true",
	}
	for name, value := range map[string]string{"emailFrom": asked.from, "emailTo": asked.to, "subject": asked.subject} {
		if value == "" {
			return asked, fmt.Errorf("smtp binding error: %s property not supplied in configuration- or request-metadata", name)
		}
	}
	return asked, checkPriority(asked.priority)
}

func checkPriority(priority string) error {
	if number, err := strconv.Atoi(priority); err != nil || number < 1 || number > 5 {
		return fmt.Errorf("smtp binding error: priority must be between 1 (highest) and 5 (lowest), not %q", priority)
	}
	return nil
}
