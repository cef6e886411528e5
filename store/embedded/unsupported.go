//go:build !unix

package embedded

import (
	"context"
	"errors"
)

var errUnsupported = errors.New("a private PostgreSQL can only be run on Unix: set DATABASE_URL to a server of your own")

// Server is never made on this platform.
type Server struct{}

// Start always fails on this platform: DATABASE_URL is required.
func Start(context.Context, Options) (*Server, error) { return nil, errUnsupported }

// DefaultStateDir always fails on this platform.
func DefaultStateDir() (string, error) { return "", errUnsupported }

// URL is empty on this platform.
func (*Server) URL() string { return "" }

// AdminURL is empty on this platform.
func (*Server) AdminURL() string { return "" }

// Done is nil on this platform.
func (*Server) Done() <-chan struct{} { return nil }

// Err always fails on this platform.
func (*Server) Err() error { return errUnsupported }

// Stop always fails on this platform.
func (*Server) Stop(context.Context) error { return errUnsupported }

// Exists reports true, so that Start is called and says what is wrong.
func Exists(string) bool { return true }

// Running reports false.
func Running(string) (url string, running bool) { return "", false }
