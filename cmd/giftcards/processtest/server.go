package processtest

import (
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"giftcards/store/storetest/check"
)

// Server is a `giftcards serve` that can be stopped and started again.
type Server struct {
	*Process

	Address string // host and port

	t       testing.TB
	command func() *exec.Cmd
}

// NewServer returns a server that is not started yet. command returns its command, a new
// one for each start.
func NewServer(t testing.TB, address string, command func() *exec.Cmd) *Server {
	t.Helper()
	return &Server{t: t, Address: address, command: command}
}

// Serve starts the program with a state directory, an address and variables of its
// environment, and waits until it is ready.
func Serve(t testing.TB, stateDir, address string, env ...string) *Server {
	t.Helper()
	return ServeProgram(t, Program(t), stateDir, address, env...)
}

// ServeProgram is Serve for a program that may be another version's.
func ServeProgram(t testing.TB, program, stateDir, address string, env ...string) *Server {
	t.Helper()
	s := NewServer(t, address, func() *exec.Cmd { return Command(program, stateDir, address, env...) })
	s.Start()
	return s
}

// Command returns the command with which ServeProgram starts a server.
func Command(program, stateDir, address string, env ...string) *exec.Cmd {
	cmd := exec.Command(program, "serve", "--listen="+address, "--state-dir="+stateDir)
	// All servers on this machine share the default admin address.
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GIFTCARDS_ADMIN_LISTEN=off"}, env...)
	return cmd
}

// URL returns the server's address as a base URL, without TLS.
func (s *Server) URL() string { return "http://" + s.Address }

// Start starts the server, which is not running, and waits until it is ready.
func (s *Server) Start() {
	s.t.Helper()
	s.Launch()
	s.Await(http.DefaultClient, s.URL())
}

// Launch starts the server and does not wait.
func (s *Server) Launch() {
	s.t.Helper()
	s.Process = Launch(s.t, s.command(), syscall.SIGKILL)
}

// Await waits until the server is ready. The client asks it at a base URL, such as that of
// TLS.
func (s *Server) Await(client *http.Client, baseURL string) {
	s.t.Helper()
	check.Until(s.t, "a ready server", func() bool {
		if s.Ended() {
			s.t.Fatalf("serve ended: %v\n%s", s.err, s.LastWords())
		}
		response, err := client.Get(baseURL + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}
