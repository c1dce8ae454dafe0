package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"strconv"
	"time"
)

const (
	// How long to wait is a policy, and ends ctx; these two are for who has none. A server may scan a mail for minutes.
	greetingLimit = time.Minute
	mailLimit     = 5 * time.Minute
	// A firewall forgets idle connections without a word: the first answer on a kept one tells.
	firstWordLimit = 5 * time.Second
	farewellLimit  = time.Second
	lastWordLimit  = 2 * time.Second
	// From this port on TLS is spoken from the first byte.
	implicitTLSPort = 465
	closing         = 421
	goOn            = 354
	// any of 250 and 251
	fine = 25
)

// conversation is one connection to the mail server, greeted and signed in.
type conversation struct {
	connection net.Conn
	client     *smtp.Client
	mails      int
	refused    bool
	stranded   bool
	ending     *time.Timer
}

// errStale says that a kept connection was found dead before the server can have had the mail.
var errStale = errors.New("the kept connection is dead")

// errSending is about the mail, in upstream's words.
var errSending = errors.New("gomail: could not send email 1")

func dial(ctx context.Context, told settings) (*conversation, error) {
	ctx, cancel := context.WithTimeout(ctx, greetingLimit)
	defer cancel()
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(told.Host, strconv.Itoa(told.Port)))
	if err != nil {
		return nil, err
	}
	stop := bound(ctx, connection, greetingLimit)
	defer stop()
	client, err := greet(connection, told)
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	return &conversation{connection: connection, client: client}, nil
}

func greet(connection net.Conn, told settings) (*smtp.Client, error) {
	secure := &tls.Config{ServerName: told.Host, InsecureSkipVerify: told.SkipTLSVerify} //nolint:gosec // as told
	if told.Port == implicitTLSPort {
		connection = tls.Client(connection, secure)
	}
	client, err := smtp.NewClient(connection, told.Host)
	if err != nil {
		return nil, err
	}
	if told.Port != implicitTLSPort {
		if offered, _ := client.Extension("STARTTLS"); offered {
			if err := client.StartTLS(secure); err != nil {
				return nil, err
			}
		}
	}
	if offered, ways := client.Extension("AUTH"); offered && told.User != "" {
		if err := client.Auth(authentication(ways, told)); err != nil {
			return nil, err
		}
	}
	return client, nil
}

// ask says a command, if any, and reads the answer to it.
func (c *conversation) ask(command string, expected int) error {
	if command != "" {
		if _, err := c.client.Text.W.WriteString(command + "\r\n"); err != nil {
			return err
		}
	}
	if err := c.client.Text.W.Flush(); err != nil {
		return err
	}
	_, _, err := c.client.Text.ReadResponse(expected)
	return err
}

// beforeData tells a server's refusal from a kept connection that has died: only the latter is worth another.
func (c *conversation) beforeData(ctx context.Context, err error) error {
	answer := (*textproto.Error)(nil)
	answered := errors.As(err, &answer)
	if c.mails > 0 && ctx.Err() == nil && (!answered || answer.Code == closing) {
		return fmt.Errorf("%w: %w", errStale, err)
	}
	return sending(err)
}

func sending(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errSending, err)
}

// keepable tells whether another mail may follow on the connection after err.
func (c *conversation) keepable(err error) bool {
	answer := (*textproto.Error)(nil)
	c.refused = err != nil
	return err == nil || !c.stranded && errors.As(err, &answer) && answer.Code != closing
}

func (c *conversation) end() {
	_ = c.connection.SetDeadline(time.Now().Add(farewellLimit))
	_ = c.client.Quit()
	_ = c.connection.Close()
}

// bound ends what waits on connection with ctx, or after longest.
func bound(ctx context.Context, connection net.Conn, longest time.Duration) (stop func() bool) {
	stop = context.AfterFunc(ctx, func() { _ = connection.SetDeadline(end(ctx)) })
	limit(ctx, connection, longest)
	return stop
}

// limit sets how long the next words may take; the order of its two steps keeps an end of ctx from being undone.
func limit(ctx context.Context, connection net.Conn, longest time.Duration) {
	_ = connection.SetDeadline(time.Now().Add(longest))
	if ctx.Err() != nil {
		_ = connection.SetDeadline(end(ctx))
	}
}

// end tells until when a conversation may go on whose ctx has ended. A sender that is gone, killed perhaps, will ask
// again: what the server says to this mail is worth hearing.
func end(ctx context.Context) time.Time {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return past
	}
	return time.Now().Add(lastWordLimit)
}

var past = time.Unix(1, 0)
