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
	"strconv"
	"strings"
	"syscall"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest/check"
)

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

// giftcards runs `giftcards serve` on a database. It can be started, killed and started again.
type giftcards struct {
	*processtest.Server

	state, database string
}

// newGiftcards starts a server with additional variables in its environment. Servers with the same
// state directory share their keys.
func (tr *trial) newGiftcards(state, database string, env ...string) *giftcards {
	tr.Helper()
	env = append([]string{"DATABASE_URL=" + database, "GIFTCARDS_SMTP_URL=outbox", "GIFTCARDS_SMS_URL=outbox", "GIFTCARDS_USER_RATE=0", "GIFTCARDS_ADDRESS_RATE=0"}, env...)
	return &giftcards{Server: processtest.Serve(tr, state, processtest.FreeAddress(tr), env...), state: state, database: database}
}

// merchant is the merchant of a load.
type merchant struct {
	Username, Password, MerchantID, ProgramID string
	token                                     string
}

// newMerchant makes the demo merchant, by the operator's command.
func (tr *trial) newMerchant(state, database string) merchant {
	tr.Helper()
	var m merchant
	tr.must(json.Unmarshal(tr.command(state, database, "", "demo"), &m))
	return m
}

// command runs a command of giftcards as an operator, and returns what it prints.
func (tr *trial) command(state, database, stdin string, args ...string) []byte {
	tr.Helper()
	cmd := exec.Command(processtest.Program(tr), append(args, "--state-dir="+state)...)
	cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "DATABASE_URL=" + database}
	cmd.Stdin = strings.NewReader(stdin)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		tr.Fatalf("giftcards %v: %v %s", args, err, problems.String())
	}
	return out
}

// login gets a token. It retries for a while.
func (m *merchant) login(tr *trial, base string) {
	tr.Helper()
	check.Until(tr, "a login", func() bool {
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
