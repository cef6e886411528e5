package faults_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a child that ends with the test.
type process struct {
	*exec.Cmd
	log  string        // file with its output
	done chan struct{} // closed when it has ended
}

// launch starts a program whose output goes to the end of a log file.
func (tr *trial) launch(cmd *exec.Cmd, log string, onOurDeath syscall.Signal) *process {
	tr.Helper()
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	tr.must(err)
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	dieWithUs(cmd.SysProcAttr, onOurDeath)
	p := &process{Cmd: cmd, log: log, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // for the kernel, this thread is the parent
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(p.done)
		}
	}()
	tr.must(<-started)
	tr.Cleanup(func() { p.end(syscall.SIGKILL) })
	return p
}

// end sends a signal and waits for the end.
func (p *process) end(s syscall.Signal) {
	_ = p.Process.Signal(s)
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// lastWords returns the end of a log.
func lastWords(log string) string {
	text, _ := os.ReadFile(log)
	return string(text[max(0, len(text)-3000):])
}

// unprivileged lets a program run as nobody if the test runs as root, because PostgreSQL
// and PgBouncer refuse to run as root.
func unprivileged(cmd *exec.Cmd) (*exec.Cmd, error) {
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return cmd, nil
	}
	uid, gid, err := nobody()
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return cmd, err
}

func nobody() (uid, gid int, err error) {
	u, err := user.Lookup("nobody")
	if err != nil {
		return 0, 0, fmt.Errorf("as root, PostgreSQL needs a user to run as: %w", err)
	}
	uid, _ = strconv.Atoi(u.Uid)
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}

// give gives a directory to the user of unprivileged programs.
func (tr *trial) give(dir string) string {
	tr.Helper()
	tr.must(os.MkdirAll(dir, 0o700))
	if os.Geteuid() == 0 {
		uid, gid, err := nobody()
		tr.must(err)
		tr.must(os.Chown(dir, uid, gid))
	}
	return dir
}

// giftcards is a `giftcards serve` that is started, killed and started again.
type giftcards struct {
	*process
	trial    *trial
	state    string
	database string
	address  string
	args     []string
	starts   int
}

// newGiftcards starts a server on a database. Servers with one state directory
// share their keys.
func (tr *trial) newGiftcards(state, database string, args ...string) *giftcards {
	tr.Helper()
	g := &giftcards{trial: tr, state: state, database: database, args: args, address: fmt.Sprintf("127.0.0.1:%d", tr.freePort())}
	g.start()
	return g
}

func (g *giftcards) url() string { return "http://" + g.address }

// start returns when the server is ready.
func (g *giftcards) start() {
	g.trial.Helper()
	path, err := built()
	g.trial.must(err)
	cmd := exec.Command(path, append([]string{"serve"}, g.args...)...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "DATABASE_URL=" + g.database, "GIFTCARDS_SMTP_URL=outbox", "GIFTCARDS_SMS_URL=outbox",
		"GIFTCARDS_LISTEN=" + g.address, "GIFTCARDS_STATE_DIR=" + g.state,
		"GIFTCARDS_ADMIN_LISTEN=off", "GIFTCARDS_USER_RATE=0", "GIFTCARDS_ADDRESS_RATE=0",
	}
	g.process = g.trial.launch(cmd, filepath.Join(g.state, "server-"+g.address[10:]+".log"), syscall.SIGKILL)
	g.starts++
	g.trial.until("a ready server", func() bool {
		if g.ended() {
			g.trial.Fatalf("serve ended: %s", lastWords(g.log))
		}
		return ok(g.url() + "/readyz")
	})
}

func (g *giftcards) kill() { g.end(syscall.SIGKILL) }

// merchant is the merchant of a load.
type merchant struct {
	Username, Password, MerchantID, ProgramID string
	token                                     string
}

// newMerchant makes the demo merchant, by the operator's command.
func (tr *trial) newMerchant(state, database string) merchant {
	tr.Helper()
	path, err := built()
	tr.must(err)
	cmd := exec.Command(path, "demo", "--state-dir="+state)
	cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "DATABASE_URL=" + database}
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		tr.Fatalf("demo: %v %s", err, problems.String())
	}
	var m merchant
	tr.must(json.Unmarshal(out, &m))
	return m
}

// login gets a token. It retries for a while.
func (m *merchant) login(tr *trial, base string) {
	tr.Helper()
	tr.until("a login", func() bool {
		response, err := (&http.Client{Timeout: 10 * time.Second}).PostForm(base+"/v2/token", url.Values{"username": {m.Username}, "password": {m.Password}})
		if err != nil {
			return false
		}
		defer response.Body.Close()
		var answer struct{ AccessToken string }
		if json.NewDecoder(response.Body).Decode(&answer) == nil {
			m.token = answer.AccessToken
		}
		return strings.Count(m.token, ".") == 2
	})
}
