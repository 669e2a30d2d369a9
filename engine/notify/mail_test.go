package notify

import (
	"errors"
	"io"
	"log"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/engine/jobrun"
)

// mailbox is a mail server that keeps what it is sent.
type mailbox struct {
	letters chan letter
	busy    int // how many letters are put off first
	user    string
}

type letter struct {
	from string
	to   []string
	text string
}

type mailSession struct {
	box *mailbox
	letter
	known bool
}

func (b *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &mailSession{box: b, known: b.user == ""}, nil
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.known = user == s.box.user && password == "p w"; s.known {
			return nil
		}
		return errors.New("who are you")
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.box.busy > 0 {
		s.box.busy--
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
	}
	s.text = string(text)
	s.box.letters <- s.letter
	return nil
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

func (b *mailbox) serve(t *testing.T) *Relay {
	t.Helper()
	b.letters = make(chan letter, 100)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := smtp.NewServer(b)
	s.Domain, s.AllowInsecureAuth = "localhost", true
	s.ErrorLog = log.New(io.Discard, "", 0) // what a client that goes leaves behind
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	r, err := ParseRelay("smtp://" + l.Addr().String() + "?from=flowctl@example.com")
	require.NoError(t, err)
	return r
}

func TestMail(t *testing.T) {
	b := newBed(t)
	box := &mailbox{busy: 1, user: "me"}
	relay := box.serve(t)
	relay.User, relay.Password = "me", "p w"
	o := b.start(t, Options{Relay: relay})
	n := notice(jobrun.OnFailure)
	n.Email = []string{"nobody@example.com", "ann@example.com", "not an address"}
	n.JobName, n.Error = "überlauf\r\nBcc: eve@example.com", strings.Repeat("long ", 500)
	b.put(t, o, n)
	got := <-box.letters
	assert.Equal(t, "flowctl@example.com", got.from)
	assert.Equal(t, []string{"ann@example.com"}, got.to)
	m, err := mail.ReadMessage(strings.NewReader(got.text))
	require.NoError(t, err)
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	require.NoError(t, err)
	assert.Equal(t, `Run of job "überlauf Bcc: eve@example.com" failed`, subject)
	assert.Empty(t, m.Header.Get("Bcc"))
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	require.NoError(t, err)
	assert.Contains(t, string(body), "http://127.0.0.1:8080/?o=4711#job/7/run/11")
	assert.Contains(t, string(body), n.Error)

	n.Email, n.Webhook = nil, []string{b.destination(t, `{"email":{"addresses":["nobody@example.com","bob@example.com","Cid <cid@example.com>"]}}`)}
	b.put(t, o, n)
	got = <-box.letters
	assert.Equal(t, []string{"bob@example.com", "cid@example.com"}, got.to, "one bad address keeps nobody else from the news")
	require.NoError(t, o.Close())
	assert.Contains(t, b.log.String(), "no such user")
	assert.Contains(t, b.log.String(), "is no e-mail address")
}

func TestParseRelay(t *testing.T) {
	r, err := ParseRelay("smtps://u:p%20w@mail.example.com?from=Flow%20%3Cf@example.com%3E")
	require.NoError(t, err)
	assert.Equal(t, &Relay{Host: "mail.example.com", Port: "465", From: "f@example.com", User: "u", Password: "p w", TLS: ImplicitTLS}, r)
	r, err = ParseRelay("smtp://mail.example.com:25?tls=required&from=f@example.com")
	require.NoError(t, err)
	assert.Equal(t, &Relay{Host: "mail.example.com", Port: "25", From: "f@example.com", TLS: RequireTLS}, r)
	for _, bad := range []string{"", "mail.example.com:25", "http://mail", "smtp://", "smtp://h?from=x", "smtp://h?tls=maybe", "smtps://h?tls=never", "smtp://h?port=1", "smtp://u:secret@h:x"} {
		_, err := ParseRelay(bad)
		require.Error(t, err, bad)
		assert.NotContains(t, err.Error(), "secret")
	}
}

// What a relay cannot protect is not sent to it.
func TestRequireTLS(t *testing.T) {
	b := newBed(t)
	relay := (&mailbox{}).serve(t)
	relay.TLS = RequireTLS
	o := b.start(t, Options{Relay: relay})
	defer o.Close() //nolint:errcheck // never fails
	err := o.deliver(o.ctx, row{To: recipient{Kind: byEmail, Name: "a@example.com"}, Notice: notice(jobrun.OnStart)})
	require.ErrorContains(t, err, "does not offer STARTTLS")
}
