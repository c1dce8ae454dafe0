package smtp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/textproto"
)

// parcel is a mail on its way; over is told what became of it, once.
type parcel struct {
	letter
	over func(error)
}

// carry hands over *mail*, and what *next* brings after it. What comes back was not handed over: nothing of it can have
// been delivered, and a fresh connection may help.
//
// Where the server takes commands in one piece, a mail's end and all that comes before the text of the next go out
// together, RFC 2920: that is one turn a mail.
func (c *conversation) carry(ctx context.Context, mail *parcel, next func() *parcel) (left *parcel, last error) {
	stop := bound(ctx, c.connection, mailLimit)
	defer stop()
	for opened := c.open(ctx, mail.letter); ; {
		following := (*parcel)(nil)
		if opened != nil {
			if last = c.beforeData(ctx, opened); errors.Is(last, errStale) {
				return mail, last
			}
		} else {
			if c.pipelines(mail.letter) && c.mails+1 < mailsEach {
				following = next()
			}
			// From here on the server may have the mail whatever comes back.
			last = sending(c.say(ctx, mail.text, following))
		}
		c.mails++
		mail.over(last)
		if !c.keepable(last) || ctx.Err() != nil {
			return following, last
		}
		piped := following != nil && c.pipelines(following.letter)
		if following == nil && c.mails < mailsEach {
			following = next()
		}
		if following == nil {
			return nil, last
		}
		if mail = following; piped {
			opened = c.hear(ctx)
		} else {
			opened = c.open(ctx, mail.letter)
		}
	}
}

// open says all that comes before the mail's text, up to the server's word to go on.
func (c *conversation) open(ctx context.Context, mail letter) error {
	if c.mails > 0 {
		limit(ctx, c.connection, firstWordLimit)
	}
	if c.refused {
		if err := c.client.Reset(); err != nil {
			return err
		}
		c.refused = false
	}
	if c.pipelines(mail) {
		if err := c.announce(mail); err != nil {
			return err
		}
		if err := c.client.Text.W.Flush(); err != nil {
			return err
		}
		return c.hear(ctx)
	}
	if err := c.client.Mail(mail.from); err != nil {
		return err
	}
	limit(ctx, c.connection, mailLimit)
	for _, address := range mail.to {
		if err := c.client.Rcpt(address); err != nil {
			return err
		}
	}
	return c.ask("DATA", goOn)
}

// pipelines tells whether all that comes before the text may be said in one piece. With several readers a server may
// go on for those that it knows, which is not what was asked for.
func (c *conversation) pipelines(mail letter) bool {
	offered, _ := c.client.Extension("PIPELINING")
	return offered && len(mail.to) == 1
}

// announce writes it in one piece, RFC 2920: of four turns two are left.
func (c *conversation) announce(mail letter) error {
	options := ""
	for _, one := range []struct{ extension, option string }{{"8BITMIME", " BODY=8BITMIME"}, {"SMTPUTF8", " SMTPUTF8"}} {
		if offered, _ := c.client.Extension(one.extension); offered {
			options += one.option
		}
	}
	_, err := fmt.Fprintf(c.client.Text.W, "MAIL FROM:<%s>%s\r\nRCPT TO:<%s>\r\nDATA\r\n", mail.from, options, mail.to[0])
	return err
}

// hear reads the answers to what was announced.
func (c *conversation) hear(ctx context.Context) error {
	refusal := error(nil)
	for _, expected := range []int{fine, fine, goOn} {
		_, _, err := c.client.Text.ReadResponse(expected)
		limit(ctx, c.connection, mailLimit)
		answer := (*textproto.Error)(nil)
		lost := err != nil && !errors.As(err, &answer)
		if refusal == nil {
			refusal = err
		} else if lost || err == nil {
			// It went away after its refusal, or waits for a text that must not come: only an end tells it so.
			c.stranded = true
		}
		if lost {
			break
		}
	}
	return refusal
}

// say sends the mail's text in one piece, with what opens the one that follows, and returns what the server says to it.
func (c *conversation) say(ctx context.Context, mail []byte, following *parcel) error {
	whole := bytes.Buffer{}
	dotted := textproto.NewWriter(bufio.NewWriter(&whole)).DotWriter()
	if _, err := dotted.Write(mail); err != nil {
		return err
	}
	if err := dotted.Close(); err != nil {
		return err
	}
	if _, err := c.client.Text.W.Write(whole.Bytes()); err != nil {
		return err
	}
	if following != nil && c.pipelines(following.letter) {
		if err := c.announce(following.letter); err != nil {
			return err
		}
	}
	limit(ctx, c.connection, mailLimit)
	return c.ask("", fine)
}
