package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"os"
	"strings"
)

// Relay is the mail server that e-mail goes through.
type Relay struct {
	Host string // as its certificate names it
	Port string
	From string // the address that e-mail comes from
	// User and Password log in, if User is not empty; never over a connection
	// that others can read, but for this machine's own.
	User, Password string
	TLS            TLSMode
}

// TLSMode is how the connection to a relay is protected.
type TLSMode string

// The modes of a relay's connection.
const (
	StartTLS     TLSMode = ""         // STARTTLS if the relay offers it
	RequireTLS   TLSMode = "required" // STARTTLS, or nothing is sent
	ImplicitTLS  TLSMode = "implicit" // TLS from the first byte (smtps)
	PlainMail    TLSMode = "never"
	mailPort             = "587"
	implicitPort         = "465"
)

// ParseRelay reads a relay's address:
//
//	smtp://[USER:PASSWORD@]HOST[:PORT][?from=ADDRESS][&tls=required|never]
//	smtps://…
//
// The port is 587, or 465 for smtps, which is TLS from the first byte; with
// smtp TLS begins by STARTTLS if the relay offers it. Mail comes from
// flowctl@ this machine's name if nothing else is said.
func ParseRelay(text string) (*Relay, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("mail relay: the address cannot be read; it looks like smtp://HOST:587?from=flowctl@example.com")
	}
	r := &Relay{Host: u.Hostname(), Port: cmp.Or(u.Port(), mailPort), User: u.User.Username()}
	r.Password, _ = u.User.Password()
	switch u.Scheme {
	case "smtp":
	case "smtps":
		r.TLS, r.Port = ImplicitTLS, cmp.Or(u.Port(), implicitPort)
	default:
		return nil, fmt.Errorf("mail relay: %q is not smtp or smtps; the address looks like smtp://HOST:587?from=flowctl@example.com", u.Scheme)
	}
	if r.Host == "" {
		return nil, errors.New("mail relay: the address names no host")
	}
	for key := range u.Query() {
		value := u.Query().Get(key)
		switch key {
		case "from":
			from, err := mail.ParseAddress(value)
			if err != nil {
				return nil, fmt.Errorf("mail relay: from: %q is no e-mail address", value)
			}
			r.From = from.Address
		case "tls":
			if r.TLS == ImplicitTLS || value != string(RequireTLS) && value != string(PlainMail) {
				return nil, fmt.Errorf("mail relay: tls: %q is not required or never, which are for smtp alone", value)
			}
			r.TLS = TLSMode(value)
		default:
			return nil, fmt.Errorf("mail relay: %q is not from or tls", key)
		}
	}
	if r.From == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("mail relay: from is not given, and this machine has no name: %w", err)
		}
		r.From = "flowctl@" + host
	}
	return r, nil
}

// mail sends a message to addresses through the relay.
func (o *Outbox) mail(ctx context.Context, m message, addresses []string) error {
	r := o.opt.Relay
	if r == nil {
		return refusedf("no mail relay is set")
	}
	var to []string
	for _, a := range addresses {
		parsed, err := mail.ParseAddress(a)
		if err != nil {
			return refusedf("%q is no e-mail address", a)
		}
		to = append(to, parsed.Address)
	}
	body, err := m.mail(r.From, to)
	if err != nil {
		return err
	}
	refused, err := r.send(ctx, to, body)
	switch {
	case final(err):
		return refusedf("the mail relay answered: %w", err)
	case err != nil:
		return err
	case len(refused) > 0:
		o.log.Warn("the mail relay refused some addresses of a notification", "run", m.Notice.RunID, "error", errors.Join(refused...))
	}
	return nil
}

// final tells whether an error is the relay's last word: a reply of 5xx (RFC
// 5321, section 4.2.1), but for those about the login, which may be mended
// while the notice waits.
func final(err error) bool {
	var reply *textproto.Error
	return errors.As(err, &reply) && reply.Code/100 == 5 && reply.Code != 530 && reply.Code != 535
}

// mail writes the message as an e-mail.
func (m message) mail(from string, to []string) ([]byte, error) {
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	header("From", (&mail.Address{Name: "flowctl", Address: from}).String())
	header("To", strings.Join(to, ", "))
	header("Subject", mime.QEncoding.Encode("utf-8", m.title()))
	header("Date", m.Created.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	header("Message-ID", "<"+m.Event+"@flowctl>") // the same at each try
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, err := w.Write([]byte(strings.ReplaceAll(m.text(), "\n", "\r\n") + "\r\n"))
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("write e-mail: %w", err)
	}
	return b.Bytes(), nil
}

// send hands an e-mail to the relay. Where the relay refuses some of several
// addresses the others are sent to.
func (r *Relay) send(ctx context.Context, to []string, body []byte) (refused []error, err error) {
	c, err := r.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("reach the mail relay: %w", err)
	}
	defer c.Close() //nolint:errcheck // Quit has said whether it went well
	if err := r.prepare(c); err != nil {
		return nil, err
	}
	if err := c.Mail(r.From); err != nil {
		return nil, fmt.Errorf("send e-mail: %w", err)
	}
	for _, a := range to {
		err := c.Rcpt(a)
		if err != nil {
			err = fmt.Errorf("send e-mail to %s: %w", a, err)
		}
		switch {
		case err == nil:
		case final(err) && len(refused) < len(to)-1:
			refused = append(refused, err)
		default:
			return nil, err
		}
	}
	w, err := c.Data()
	if err == nil {
		_, err = w.Write(body)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("send e-mail: %w", err)
	}
	_ = c.Quit() // the relay has taken it
	return refused, nil
}

func (r *Relay) dial(ctx context.Context) (*smtp.Client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(r.Host, r.Port))
	if err != nil {
		return nil, err
	}
	if until, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(until); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	if r.TLS == ImplicitTLS {
		conn = tls.Client(conn, &tls.Config{ServerName: r.Host})
	}
	c, err := smtp.NewClient(conn, r.Host)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// prepare protects the connection and logs in.
func (r *Relay) prepare(c *smtp.Client) error {
	if offered, _ := c.Extension("STARTTLS"); offered && (r.TLS == StartTLS || r.TLS == RequireTLS) {
		if err := c.StartTLS(&tls.Config{ServerName: r.Host}); err != nil {
			return fmt.Errorf("protect the connection to the mail relay: %w", err)
		}
	} else if r.TLS == RequireTLS {
		return errors.New("the mail relay does not offer STARTTLS")
	}
	if r.User != "" {
		if err := c.Auth(smtp.PlainAuth("", r.User, r.Password, r.Host)); err != nil {
			return fmt.Errorf("log in to the mail relay: %w", err)
		}
	}
	return nil
}
