package main

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"golang.org/x/net/idna"

	"giftcards/jobs/transport"
)

// helo returns a host's name in ASCII. Servers accept only a name with a dot, or an
// address in brackets.
func helo(host string) (string, error) {
	fault := errors.New("want the name of a host such as mail.example.com, or an address such as [192.0.2.1]")
	// RFC 5321 allows an address in brackets, with the prefix IPv6: for IPv6.
	if address, isLiteral := strings.CutPrefix(host, "["); isLiteral {
		if net.ParseIP(strings.TrimPrefix(strings.TrimSuffix(address, "]"), "IPv6:")) == nil || !strings.HasSuffix(host, "]") {
			return "", fault
		}
		return host, nil
	}
	// Servers refuse names without a dot, such as localhost.
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
		return transport.SMTPOptions{}, errors.New("the address must not contain the password: use --smtp-password-file")
	}
	o := transport.SMTPOptions{Username: u.User.Username()}
	port := u.Port()
	var defaultPort string
	// Only the loopback interface may carry a card's code without encryption.
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
