package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/net/idna"

	"giftcards/jobs"
	"giftcards/jobs/message"
	"giftcards/jobs/transport"
	"giftcards/server/validate/email"
)

// delivery is the settings of messages to recipients. Secrets are no flags: what
// a process was started with, everybody on the machine may read.
type delivery struct {
	SMTPURL          string `name:"smtp-url" env:"GIFTCARDS_SMTP_URL" placeholder:"URL" help:"Server to send mail over: smtp://USER@HOST:PORT (STARTTLS, demanded), smtps:// (TLS) or, on this machine, smtp+plain://; or outbox, which is the directory in the state directory where mail is written by default, with a private database and if text messages have no provider either."`
	SMTPPasswordFile string `name:"smtp-password-file" env:"GIFTCARDS_SMTP_PASSWORD_FILE" placeholder:"FILE" help:"Holds the password of the SMTP user; or it is in $$GIFTCARDS_SMTP_PASSWORD."`
	SMTPHelo         string `name:"smtp-helo" env:"GIFTCARDS_SMTP_HELO" placeholder:"HOST" help:"What this machine calls itself to the SMTP server (EHLO). Default: the domain of --mail-from."`
	MailFrom         string `env:"GIFTCARDS_MAIL_FROM" placeholder:"ADDRESS" help:"Address that mail comes from; needed with --smtp-url."`
	MailPerSecond    int    `env:"GIFTCARDS_MAIL_PER_SECOND" default:"20" help:"Mails that one instance sends in a second, at most (${default})."`
	SMSURL           string `name:"sms-url" env:"GIFTCARDS_SMS_URL" placeholder:"URL" help:"Provider of text messages with Twilio's Messages API, such as https://api.twilio.com; or outbox, as for mail."`
	SMSAccount       string `name:"sms-account" env:"GIFTCARDS_SMS_ACCOUNT" placeholder:"SID" help:"Account with the provider."`
	SMSTokenFile     string `name:"sms-token-file" env:"GIFTCARDS_SMS_TOKEN_FILE" placeholder:"FILE" help:"Holds the account's token; or it is in $$GIFTCARDS_SMS_TOKEN."`
	SMSFrom          string `name:"sms-from" env:"GIFTCARDS_SMS_FROM" placeholder:"NUMBER" help:"Number or name that text messages come from."`
	SMSPerSecond     int    `name:"sms-per-second" env:"GIFTCARDS_SMS_PER_SECOND" default:"10" help:"Text messages that one instance sends in a second, at most (${default})."`
	TemplateDir      string `env:"GIFTCARDS_TEMPLATE_DIR" placeholder:"DIR" help:"Templates of messages, over the ones of the program."`

	templates *message.Templates
	smtp      transport.SMTPOptions
	twilio    transport.TwilioOptions
}

// toOutbox is the address of messages that are written to files. It must be named
// where the other channel has a server, and with a database of the operator's own: a
// setting that was forgotten would leave cards that are worth something in files.
const toOutbox = "outbox"

func (d *delivery) sendsMail() bool { return d.SMTPURL != "" && d.SMTPURL != toOutbox }

func (d *delivery) sendsSMS() bool { return d.SMSURL != "" && d.SMSURL != toOutbox }

// maxPerSecond is more than one instance can send.
const maxPerSecond = 10_000

// check is for those who send: other commands need no secrets. Only with a private
// database may both channels be left out.
func (d *delivery) check(f faults, private bool) {
	f.note("mail-per-second", d.MailPerSecond >= 1 && d.MailPerSecond <= maxPerSecond, fmt.Sprintf("want 1 to %d", maxPerSecond))
	f.note("sms-per-second", d.SMSPerSecond >= 1 && d.SMSPerSecond <= maxPerSecond, fmt.Sprintf("want 1 to %d", maxPerSecond))
	var err error
	d.templates, err = message.Load(d.TemplateDir)
	f.note("template-dir", err == nil, fmt.Sprint(err))
	d.checkMail(f, private)
	d.checkSMS(f, private)
}

func (d *delivery) checkMail(f faults, private bool) {
	if d.sendsMail() || d.MailFrom != "" {
		address, fault := senderAddress(d.MailFrom)
		f.note("mail-from", fault == nil, fmt.Sprint(fault))
		d.MailFrom = address
	}
	if !d.sendsMail() {
		f.note("smtp-url", d.SMTPURL == toOutbox || private && !d.sendsSMS(), "want a server, or outbox to have mail written to files only")
		return
	}
	var err error
	d.smtp, err = smtpServer(d.SMTPURL)
	f.note("smtp-url", err == nil, fmt.Sprint(err))
	d.smtp.From, d.smtp.Timeout = d.MailFrom, jobs.SendTimeout
	if d.SMTPHelo != "" {
		d.smtp.Hello, err = helo(d.SMTPHelo)
		f.note("smtp-helo", err == nil, fmt.Sprint(err))
	}
	if d.smtp.Username != "" {
		d.smtp.Password, err = secret(smtpPasswordVariable, d.SMTPPasswordFile)
		f.note("smtp-password-file", err == nil, fmt.Sprint(err))
	} else if err == nil {
		f.note("smtp-url", d.SMTPPasswordFile == "" && os.Getenv(smtpPasswordVariable) == "", "a password is set, and no user: want an address such as smtp://user@mail.example.com:587")
	}
}

func (d *delivery) checkSMS(f faults, private bool) {
	if !d.sendsSMS() {
		unset := d.SMSURL == "" && d.SMSAccount == "" && d.SMSFrom == "" && d.SMSTokenFile == ""
		f.note("sms-url", d.SMSURL == toOutbox || unset && private && !d.sendsMail(), "want the https address of a provider such as https://api.twilio.com, or outbox, which writes text messages to files")
		return
	}
	f.note("sms-url", secureURL(d.SMSURL), "want an https address without user and password, not what is set")
	f.note("sms-account", d.SMSAccount != "", "needed with --sms-url")
	f.note("sms-from", d.SMSFrom != "", "needed with --sms-url")
	token, err := secret(smsTokenVariable, d.SMSTokenFile)
	f.note("sms-token-file", err == nil, fmt.Sprint(err))
	d.twilio = transport.TwilioOptions{
		URL: strings.TrimSuffix(d.SMSURL, "/"), Account: d.SMSAccount, Token: token, From: d.SMSFrom, Timeout: jobs.SendTimeout,
	}
}

// The variables of secrets, which are no flags.
const (
	smtpPasswordVariable = "GIFTCARDS_SMTP_PASSWORD" //nolint:gosec // its name, not the password
	smsTokenVariable     = "GIFTCARDS_SMS_TOKEN"     //nolint:gosec // its name, not the token
)

// senderAddress writes an address as every server takes it: in ASCII.
func senderAddress(address string) (string, error) {
	normalized, reason := email.Normalize(address)
	if reason != "" {
		return "", fmt.Errorf("want an e-mail address: %s", reason)
	}
	inASCII, err := transport.ASCIIAddress(normalized)
	if err != nil {
		return "", fmt.Errorf("want an e-mail address with ASCII before the @: %w", err)
	}
	return inASCII, nil
}

// helo writes a host's name as servers take it: in ASCII, with a dot, or an address in
// brackets.
func helo(host string) (string, error) {
	fault := errors.New("want the name of a host such as mail.example.com, or an address such as [192.0.2.1]")
	if address, isLiteral := strings.CutPrefix(host, "["); isLiteral {
		if net.ParseIP(strings.TrimPrefix(strings.TrimSuffix(address, "]"), "IPv6:")) == nil || !strings.HasSuffix(host, "]") {
			return "", fault
		}
		return host, nil
	}
	name, err := idna.Lookup.ToASCII(host)
	if err != nil || !strings.Contains(strings.Trim(name, "."), ".") {
		return "", fault
	}
	return name, nil
}

// smtpServer reads an address such as smtp://user@host:587.
func smtpServer(address string) (transport.SMTPOptions, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Port() != "" && !isPort(u.Port()) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return transport.SMTPOptions{}, errors.New("want an address such as smtp://user@mail.example.com:587") // err would repeat a password
	}
	if _, set := u.User.Password(); set {
		return transport.SMTPOptions{}, errors.New("the password has no place here: see --smtp-password-file")
	}
	o := transport.SMTPOptions{Username: u.User.Username()}
	port := u.Port()
	var defaultPort string
	switch u.Scheme {
	case "smtp":
		o.Security, defaultPort = transport.STARTTLS, "587"
	case "smtps":
		o.Security, defaultPort = transport.TLS, "465"
	case "smtp+plain":
		o.Security, defaultPort = transport.Plain, "25"
		if !loopback(u.Hostname()) {
			return transport.SMTPOptions{}, errors.New("smtp+plain is for a server on this machine: gift cards must not travel in the clear")
		}
	default:
		return transport.SMTPOptions{}, errors.New("want smtp://, smtps:// or smtp+plain://")
	}
	if port == "" {
		port = defaultPort
	}
	o.Address = net.JoinHostPort(u.Hostname(), port)
	return o, nil
}

// secureURL reports whether secrets may travel to an address.
func secureURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Port() == "" || isPort(u.Port())) && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// secret is what a variable holds, or the first line of a file.
func secret(variable, file string) (string, error) {
	if file == "" {
		if value := os.Getenv(variable); value != "" {
			return value, nil
		}
		return "", fmt.Errorf("needed, or $%s", variable)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", errors.New("the file's first line is empty")
	}
	return line, nil
}

// keptInOutbox says what is written to files instead of being sent.
func (d *delivery) keptInOutbox() string {
	switch {
	case !d.sendsMail() && !d.sendsSMS():
		return "Messages"
	case !d.sendsMail():
		return "Mails"
	case !d.sendsSMS():
		return "Text messages"
	}
	return ""
}

// outbox is where messages are written that no server takes.
func (s *session) outbox() string { return filepath.Join(s.config.StateDir, "outbox") }

// outboxFrom is whom mail in the outbox comes from, where nobody is set.
const outboxFrom = "gift-cards@localhost"

// delivery prepares to send messages as the settings say.
func (s *session) delivery() (*jobs.Delivery, error) {
	d := s.config.delivery
	from := d.MailFrom
	if from == "" {
		from = outboxFrom
	}
	delivery := &jobs.Delivery{
		Templates: d.templates,
		Mail:      jobs.Route{Sender: transport.NewMailOutbox(s.outbox(), from), PerSecond: d.MailPerSecond},
		SMS:       jobs.Route{Sender: transport.NewSMSOutbox(s.outbox()), PerSecond: d.SMSPerSecond},
	}
	if d.sendsMail() {
		sender, err := transport.NewSMTP(d.smtp)
		if err != nil {
			return nil, err
		}
		delivery.Mail.Sender = sender
	}
	if d.sendsSMS() {
		delivery.SMS.Sender = transport.NewTwilio(d.twilio)
	}
	return delivery, nil
}
