package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"giftcards/store/private"
)

// Outbox writes messages to files, for trials and tests: a mail in its final form to
// <id>.eml, a text message to <id>.sms.txt. A file appears complete, and only its owner
// may read it.
type Outbox struct {
	dir, from string
	sms       bool
}

// NewMailOutbox returns an Outbox for mail from an address. Send makes dir if necessary;
// dir's parent must exist.
func NewMailOutbox(dir, from string) *Outbox { return &Outbox{dir: dir, from: from} }

// NewSMSOutbox returns an Outbox for text messages.
func NewSMSOutbox(dir string) *Outbox { return &Outbox{dir: dir, sms: true} }

// Close does nothing.
func (*Outbox) Close() {}

// Send writes the message. It replaces an earlier one with the same ID.
func (o *Outbox) Send(_ context.Context, m Message) error {
	name, text := m.ID+".sms.txt", []byte("To: "+m.To+"\n\n"+m.Text+"\n")
	if o.sms {
		if err := checkNumber(m.To); err != nil {
			return err
		}
	} else {
		mail, err := newEnvelope(m, o.from)
		if err != nil {
			return &Error{Permanent: true, Stage: "address", Err: err}
		}
		var b bytes.Buffer
		if _, err := mail.WriteTo(&b); err != nil {
			return &Error{Stage: "write", Err: err}
		}
		name, text = m.ID+".eml", b.Bytes()
	}
	if err := writeFile(o.dir, name, text); err != nil {
		return &Error{Stage: "write", Err: fmt.Errorf("outbox: %w", err)}
	}
	m.taken("written to " + filepath.Join(o.dir, name))
	return nil
}

func writeFile(dir, name string, text []byte) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := private.CheckDir(dir); err != nil { // cards must not follow a link to elsewhere
		return err
	}
	// A reader never sees a part of a message, because the rename is atomic.
	file, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
