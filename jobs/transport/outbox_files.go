package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
)

// OutboxFiles returns the paths of the files in an outbox, including half-written ones, that
// hold a message which wanted accepts. It calls wanted with the ID of the message, which is
// empty for a half-written file, and with the address that it goes to. The domain of a mail
// address is in ASCII (IDNA). Without the directory there are no files.
func OutboxFiles(dir string, wanted func(id, address string) bool) ([]string, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	var found []string
	for _, file := range files {
		if !file.Type().IsRegular() { // an outbox has only files, and no link is followed
			continue
		}
		path := filepath.Join(dir, file.Name())
		address, err := addressee(path)
		if errors.Is(err, fs.ErrNotExist) { // a server has renamed it meanwhile
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("outbox: %w", err)
		}
		id, _, _ := strings.Cut(file.Name(), ".")
		if wanted(id, address) {
			found = append(found, path)
		}
	}
	return found, nil
}

// addressee returns the address in the first lines of a file. Mail and text messages have it
// in the same form. It is empty if the file ends before it.
func addressee(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	message, err := mail.ReadMessage(file)
	if err != nil { // half-written, or another program's
		return "", nil
	}
	to := strings.TrimSpace(message.Header.Get("To"))
	if parsed, err := mail.ParseAddress(to); err == nil {
		return parsed.Address, nil
	}
	return to, nil
}

// InHeaders returns a mail address as the headers of a mail have it: its domain is in ASCII
// (IDNA). It returns any other text as it is.
func InHeaders(address string) string {
	if converted, err := asciiDomain(address); err == nil {
		return converted
	}
	return address
}
