package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"giftcards/jobs"
	"giftcards/jobs/message"
	"giftcards/jobs/message/texts"
	"giftcards/jobs/transport"
	"giftcards/server/validate/email"
)

// delivery is the settings of messages to recipients. Secrets are not flags, because
// every account on the machine can read a process's arguments.
type delivery struct {
	SMTPURL          string `name:"smtp-url" env:"GIFTCARDS_SMTP_URL" placeholder:"URL" help:"Server that sends mail: smtp://USER@HOST:PORT (STARTTLS, required), smtps:// (TLS) or, on this machine, smtp+plain://; or outbox, which writes mail to files in the state directory. Default: outbox with a private database and without --sms-url, else none."`
	SMTPPasswordFile string `name:"smtp-password-file" env:"GIFTCARDS_SMTP_PASSWORD_FILE" placeholder:"FILE" help:"File with the password of the SMTP user, instead of the variable GIFTCARDS_SMTP_PASSWORD."`
	SMTPHelo         string `name:"smtp-helo" env:"GIFTCARDS_SMTP_HELO" placeholder:"HOST" help:"Name of this machine for the SMTP server (EHLO). Default: the domain of --mail-from."`
	MailFrom         string `env:"GIFTCARDS_MAIL_FROM" placeholder:"ADDRESS" help:"Sender's address of mail; needed with --smtp-url."`
	DKIMKeyFile      string `name:"dkim-key-file" env:"GIFTCARDS_DKIM_KEY_FILE" placeholder:"FILE" help:"File with a private key in PEM (RSA or Ed25519), by which mails are signed for the domain of --mail-from."`
	DKIMSelector     string `name:"dkim-selector" env:"GIFTCARDS_DKIM_SELECTOR" default:"giftcards" placeholder:"NAME" help:"Name below _domainkey in DNS at which the public key is published (${default})."`
	MailBounces      string `env:"GIFTCARDS_MAIL_BOUNCES" placeholder:"ADDRESS" help:"Address for reports on mails that did not arrive, such as bounces@mail.example.com; each mail's envelope has it with a mark of its own, as in bounces+MARK@mail.example.com. Pipe that mail into giftcards messages bounced. Default: the envelope has --mail-from."`
	MailPerSecond    int    `env:"GIFTCARDS_MAIL_PER_SECOND" default:"20" help:"Most mails that one instance sends in a second (${default})."`
	SMSURL           string `name:"sms-url" env:"GIFTCARDS_SMS_URL" placeholder:"URL" help:"Provider of text messages with Twilio's Messages API, such as https://api.twilio.com; or outbox, as for mail."`
	SMSAccount       string `name:"sms-account" env:"GIFTCARDS_SMS_ACCOUNT" placeholder:"SID" help:"Account with the provider."`
	SMSTokenFile     string `name:"sms-token-file" env:"GIFTCARDS_SMS_TOKEN_FILE" placeholder:"FILE" help:"File with the account's token, instead of the variable GIFTCARDS_SMS_TOKEN."`
	SMSFrom          string `name:"sms-from" env:"GIFTCARDS_SMS_FROM" placeholder:"NUMBER" help:"Sender's number or name of text messages."`
	SMSPerSecond     int    `name:"sms-per-second" env:"GIFTCARDS_SMS_PER_SECOND" default:"10" help:"Most text messages that one instance sends in a second (${default})."`
	TemplateDir      string `env:"GIFTCARDS_TEMPLATE_DIR" placeholder:"DIR" help:"Directory of message templates that replace the program's own."`

	LanguageDir string `env:"GIFTCARDS_LANGUAGE_DIR" placeholder:"DIR" help:"Directory of files of texts, such as ar.txt, that replace the program's own or add languages."`

	languages *texts.Languages
	templates *message.Templates
	smtp      transport.SMTPOptions
	twilio    transport.TwilioOptions
}

// toOutbox is the address that writes messages to files. It is the default only for a
// trial: with a private database, and without a server for the other channel. Elsewhere
// the operator must set it, because a forgotten setting would leave real cards in files.
const toOutbox = "outbox"

func (d *delivery) sendsMail() bool { return d.SMTPURL != "" && d.SMTPURL != toOutbox }

// checkSandbox is check for a sandbox, whose cards are not real. All of its messages are
// written to files.
func (d *delivery) checkSandbox(f faults) {
	mail, sms := d.sendsMail(), d.sendsSMS()
	d.SMTPURL, d.SMSURL = toOutbox, toOutbox
	d.check(f, true)
	f.note("smtp-url", !mail, "a sandbox sends no mail: leave the setting out")
	f.note("sms-url", !sms, "a sandbox sends no text messages: leave the setting out")
}

func (d *delivery) sendsSMS() bool { return d.SMSURL != "" && d.SMSURL != toOutbox }

// maxPerSecond is more than one instance can send.
const maxPerSecond = 10_000

// check is only called for commands that send messages, because others need no secrets.
// Both channels may be unset only with a private database.
func (d *delivery) check(f faults, private bool) {
	f.note("mail-per-second", d.MailPerSecond >= 1 && d.MailPerSecond <= maxPerSecond, fmt.Sprintf("want 1 to %d", maxPerSecond))
	f.note("sms-per-second", d.SMSPerSecond >= 1 && d.SMSPerSecond <= maxPerSecond, fmt.Sprintf("want 1 to %d", maxPerSecond))
	var err error
	d.languages, err = texts.Load(d.LanguageDir)
	if err != nil {
		f.note("language-dir", false, err.Error())
		d.languages, err = texts.Load("") // so that faults of the templates are told, too
	}
	if err == nil {
		d.templates, err = message.Load(d.TemplateDir, d.languages)
	}
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
		f.note("dkim-key-file", d.DKIMKeyFile == "", "is for mails that are sent: want a server in --smtp-url")
		f.note("smtp-url", d.SMTPURL == toOutbox || private && !d.sendsSMS(), "want a server, or outbox to write mail to files only")
		f.note("mail-bounces", d.MailBounces == "", "needs a server in --smtp-url")
		return
	}
	var err error
	// From here on mail has a server.
	d.smtp, err = smtpServer(d.SMTPURL)
	f.note("smtp-url", err == nil, fmt.Sprint(err))
	d.smtp.From, d.smtp.Timeout = d.MailFrom, jobs.SendTimeout
	if d.DKIMKeyFile != "" {
		f.note("dkim-selector", selectorName.MatchString(d.DKIMSelector), "want a name of DNS, such as giftcards or s1.cards")
		d.smtp.DKIM, err = dkimKey(d.MailFrom, d.DKIMSelector, d.DKIMKeyFile)
		f.note("dkim-key-file", err == nil, fmt.Sprint(err))
	}
	if d.MailBounces != "" {
		address, fault := bounceAddress(d.MailBounces)
		f.note("mail-bounces", fault == nil, fmt.Sprint(fault))
		d.smtp.Bounces = address
	}
	if d.SMTPHelo != "" {
		d.smtp.Hello, err = helo(d.SMTPHelo)
		f.note("smtp-helo", err == nil, fmt.Sprint(err))
	}
	if d.smtp.Username != "" {
		d.smtp.Password, err = secret(smtpPasswordVariable, d.SMTPPasswordFile)
		f.note("smtp-password-file", err == nil, fmt.Sprint(err))
	} else if err == nil {
		// A password without a user would silently not be used.
		f.note("smtp-url", d.SMTPPasswordFile == "" && os.Getenv(smtpPasswordVariable) == "", "a password is set without a user: want an address such as smtp://user@mail.example.com:587")
	}
}

func (d *delivery) checkSMS(f faults, private bool) {
	if !d.sendsSMS() {
		unset := d.SMSURL == "" && d.SMSAccount == "" && d.SMSFrom == "" && d.SMSTokenFile == ""
		f.note("sms-url", d.SMSURL == toOutbox || unset && private && !d.sendsMail(), "want the https address of a provider such as https://api.twilio.com, or outbox, which writes text messages to files")
		return
	}
	f.note("sms-url", secureURL(d.SMSURL), "want an https address without user and password") // the value may hold a password
	// Twilio's API needs all three.
	f.note("sms-account", d.SMSAccount != "", "needed with --sms-url")
	f.note("sms-from", d.SMSFrom != "", "needed with --sms-url")
	token, err := secret(smsTokenVariable, d.SMSTokenFile)
	f.note("sms-token-file", err == nil, fmt.Sprint(err))
	d.twilio = transport.TwilioOptions{
		URL: strings.TrimSuffix(d.SMSURL, "/"), Account: d.SMSAccount, Token: token, From: d.SMSFrom, Timeout: jobs.SendTimeout,
	}
}

// Secrets are read from these variables, because they must not be flags.
const (
	smtpPasswordVariable = "GIFTCARDS_SMTP_PASSWORD" //nolint:gosec // its name, not the password
	smsTokenVariable     = "GIFTCARDS_SMS_TOKEN"     //nolint:gosec // its name, not the token
)

// senderAddress returns an address in ASCII, which every server accepts.
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

// selectorName matches labels of DNS with dots between them.
var selectorName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

// dkimKey reads the key that signs the mails of the sender's domain.
func dkimKey(from, selector, file string) (*transport.DKIM, error) {
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from, "@")
	return transport.NewDKIM(domain, selector, key)
}

// longestBounces is how long the part before the @ of --mail-bounces may be: a mark of up to 30
// characters follows it, and servers may refuse more than 64 (RFC 5321).
const longestBounces = 34

func bounceAddress(address string) (string, error) {
	inASCII, err := senderAddress(address)
	if err == nil && strings.IndexByte(inASCII, '@') > longestBounces {
		err = fmt.Errorf("want at most %d characters before the @, because a mark follows them", longestBounces)
	}
	return inASCII, err
}

// secret returns the first line of a file, or without a file the value of a variable.
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
	// Editors end a file with a newline, which is not part of the secret.
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", errors.New("the file's first line is empty")
	}
	return line, nil
}

// keptInOutbox names the messages that are written to files and not sent, "" if none.
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

// outbox is the directory of messages that are written to files.
func (s *session) outbox() string { return filepath.Join(s.config.StateDir, "outbox") }

// outboxFrom is the sender's address of mail in the outbox without --mail-from.
const outboxFrom = "gift-cards@localhost"

// delivery returns the senders of both channels. Those without a server write to the outbox.
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
	// The outbox is replaced only for channels that have a server.
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
