package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/jobs/transport/smtptest"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// production is a machine on which the test follows docs/production.md.
type production struct {
	t       *testing.T
	dir     string // what the page has in /usr, /etc, /var and /mnt
	address string
	admin   string   // the database's address for a role that may create others
	fill    []string // pairs: a text of the page, and the text that takes its place
	ids     map[string]string
	shell   io.Writer
	answers *bufio.Reader
	server  *processtest.Server
}

// standIns replace programs that would change the machine on which the test runs. make copies the
// program that the tests have built. pg_dump is a stand-in only where PostgreSQL's client
// programs are missing.
func (p *production) standIns(program string) {
	p.t.Helper()
	scripts := map[string]string{
		"make": fmt.Sprintf("mkdir -p bin && cp %s bin/giftcards", program), "useradd": ":", "systemctl": ":", "journalctl": ":",
	}
	if _, err := exec.LookPath("pg_dump"); err != nil {
		scripts["pg_dump"] = `for a; do case $a in --file=*) echo dump >"${a#--file=}" ;; esac; done`
	}
	must(p.t, os.MkdirAll(filepath.Join(p.dir, "standin"), 0o700))
	for name, script := range scripts {
		must(p.t, os.WriteFile(filepath.Join(p.dir, "standin", name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	}
}

// newProduction prepares an empty database's server, a mail server and a machine.
func newProduction(t *testing.T, mails *smtptest.Server) *production {
	t.Helper()
	p := &production{t: t, dir: t.TempDir(), address: processtest.FreeAddress(t), ids: map[string]string{}}
	for _, made := range []string{"usr/local/bin", "etc/cron.d", "etc/systemd/system", "mnt/dumps", "mnt/keys", "checkout"} {
		must(t, os.MkdirAll(filepath.Join(p.dir, made), 0o700))
	}
	docs, err := filepath.Abs("../../docs")
	must(t, err)
	must(t, os.Symlink(docs, filepath.Join(p.dir, "checkout", "docs")))
	program := processtest.Program(t)
	p.standIns(program)

	// Roles belong to the whole server, so each run has its own roles. The tests' PostgreSQL lets only
	// one role log in, which then takes the other role.
	suffix := fmt.Sprintf("_test_%08x", rand.Uint32())
	owner, app, database := "giftcards_owner"+suffix, "giftcards_app"+suffix, "giftcards"+suffix
	admin, err := url.Parse(storetest.URL(t))
	must(t, err)
	urlAs := func(role string) string {
		u := *admin
		query := u.Query()
		query.Set("options", "-c role="+role)
		u.Path, u.RawQuery = "/"+database, strings.ReplaceAll(query.Encode(), "+", "%20")
		return u.String()
	}
	p.fill = []string{
		"postgres://giftcards_owner:OWNER-PASSWORD@db.example.com/giftcards?sslmode=verify-full", urlAs(owner),
		"postgres://giftcards_app:SERVER-PASSWORD@db.example.com/giftcards?sslmode=verify-full", urlAs(app),
		"giftcards_owner", owner, "giftcards_app", app, "database giftcards owner", "database " + database + " owner",
		"/usr/local/bin/", p.dir + "/usr/local/bin/", "/var/lib/giftcards", p.dir + "/var/lib/giftcards", "/mnt/", p.dir + "/mnt/", "/etc/", p.dir + "/etc/",
		"https://cards.example.com", "http://" + p.address, "http://127.0.0.1:8080", "http://" + p.address,
		"@smtp.example.com", "@" + mails.Address, "MAIL-PASSWORD", smtptest.Password, "YOU@", "you@",
		"giftcards user create", "echo 'a long password' | giftcards user create", "USER-PASSWORD", "a long password", // the terminal asks for it
	}
	p.admin = admin.String()
	t.Cleanup(func() {
		for _, statement := range []string{"drop database if exists " + database + " with (force)", "drop role if exists " + app, "drop role if exists " + owner} {
			p.sql(statement)
		}
	})
	return p
}

// filled returns a text with a value in each place that the page leaves to its reader.
func (p *production) filled(text string) string {
	fill := slices.Clone(p.fill)
	for name, id := range p.ids {
		fill = append(fill, name, id)
	}
	return strings.NewReplacer(fill...).Replace(text)
}

// sql executes statements as the role that may create others.
func (p *production) sql(statements string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.t.Context()), time.Minute) // cleanups run it, too
	defer cancel()
	conn, err := pgx.Connect(ctx, p.admin)
	must(p.t, err)
	defer conn.Close(ctx)
	for statement := range strings.SplitSeq(statements, ";\n") {
		if _, err := conn.Exec(ctx, statement); err != nil {
			p.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// open starts the one shell in which everything is typed.
func (p *production) open(mails *smtptest.Server) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), "sh", "-e")
	cmd.Dir = filepath.Join(p.dir, "checkout")
	cmd.Env = []string{
		"PATH=" + filepath.Join(p.dir, "standin") + ":" + filepath.Join(p.dir, "usr/local/bin") + ":" + os.Getenv("PATH"), "HOME=" + p.dir,
		"SSL_CERT_FILE=" + mails.CertFile, "GIFTCARDS_STATE_DIR=" + p.dir + "/var/lib/giftcards",
	}
	input, err := cmd.StdinPipe()
	must(p.t, err)
	output, err := cmd.StdoutPipe()
	must(p.t, err)
	cmd.Stderr = cmd.Stdout
	must(p.t, cmd.Start())
	p.shell, p.answers = input, bufio.NewReader(output)
	p.t.Cleanup(func() { _ = input.Close(); _ = cmd.Wait() })
}

// run types a command of one or more lines, and returns its output.
func (p *production) run(command string) string {
	p.t.Helper()
	const end = "-- done"
	_, err := io.WriteString(p.shell, command+"\necho '"+end+"'\n")
	must(p.t, err)
	var printed strings.Builder
	for {
		line, err := p.answers.ReadString('\n')
		if before, ended := strings.CutSuffix(line, end+"\n"); ended {
			printed.WriteString(before)
			return printed.String()
		}
		printed.WriteString(line)
		if err != nil {
			p.t.Fatalf("%s\n%s(the shell ended: %v)", command, printed.String(), err)
		}
	}
}

// start does what systemd does with the unit.
func (p *production) start(mails *smtptest.Server) {
	p.t.Helper()
	unit, err := os.ReadFile(filepath.Join(p.dir, "etc/systemd/system/giftcards.service"))
	must(p.t, err)
	text := p.filled(string(unit))
	value := func(name string) string {
		match := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(text)
		if match == nil {
			p.t.Fatalf("the unit has no %s", name)
		}
		return match[1]
	}
	if analyze, err := exec.LookPath("systemd-analyze"); err == nil {
		// The unit's user does not exist on this machine, so the test's user takes its place.
		verified := filepath.Join(p.dir, "giftcards.service")
		must(p.t, os.WriteFile(verified, []byte(strings.Replace(text, "User=giftcards", fmt.Sprint("User=", os.Getuid()), 1)), 0o600))
		if out, err := exec.Command(analyze, "verify", verified).CombinedOutput(); err != nil || strings.Contains(string(out), verified) {
			p.t.Errorf("systemd-analyze verify: %v\n%s", err, out)
		}
	}
	must(p.t, os.MkdirAll(p.dir+"/var/lib/"+value("StateDirectory"), 0o700))
	settings, err := os.ReadFile(value("EnvironmentFile"))
	must(p.t, err)
	env := []string{
		"PATH=" + os.Getenv("PATH"), value("Environment"), "SSL_CERT_FILE=" + mails.CertFile, "GIFTCARDS_LISTEN=" + p.address, "GIFTCARDS_ADMIN_LISTEN=off",
	}
	for line := range strings.Lines(string(settings)) {
		env = append(env, strings.ReplaceAll(strings.TrimSpace(line), "'", ""))
	}
	p.server = processtest.NewServer(p.t, p.address, func() *exec.Cmd {
		cmd := exec.Command("/bin/sh", "-c", "exec "+value("ExecStart"))
		cmd.Env = env
		return cmd
	})
	p.server.Start()
}

// TestAnEmptyPostgreSQLBecomesAServerThatMailsCards, by the commands of
// docs/production.md in their order.
func TestAnEmptyPostgreSQLBecomesAServerThatMailsCards(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/production.md")
	must(t, err)
	mails := smtptest.New(t, smtptest.Hooks{})
	p := newProduction(t, mails)
	p.open(mails)
	for _, block := range regexp.MustCompile("(?s)\n```(\\w+)\n(.*?)```\n").FindAllStringSubmatch(string(page), -1) {
		language, text := block[1], block[2]
		if language == "sql" {
			p.sql(strings.TrimSuffix(p.filled(text+"grant giftcards_app to current_user;\n"), ";\n")) // this role then takes the other one, see urlAs
			continue
		}
		for _, typed := range commandsOf(text) {
			printed := p.run(p.filled(typed))
			var made struct{ ID string }
			for command, name := range map[string]string{"giftcards merchant create ": "MERCHANT-ID", "giftcards program create ": "PROGRAM-ID"} {
				if strings.HasPrefix(typed, command) {
					must(t, json.Unmarshal([]byte(printed), &made))
					p.ids[name] = made.ID
				}
			}
			switch {
			case strings.HasPrefix(typed, "systemctl enable --now"):
				p.start(mails)
			case strings.HasSuffix(typed, "/readyz\n") && !strings.Contains(printed, "ok"):
				t.Errorf("readyz: %s", printed)
			case strings.Contains(typed, `"initialValue"`) && !strings.Contains(printed, `"cardNumber"`):
				t.Errorf("no card: %s", printed)
			}
		}
	}
	check.Until(t, "the test's mail and the card's", func() bool { return len(mails.Mails()) == 2 })
	for _, mail := range mails.Mails() {
		if mail.To != "you@example.com" || mail.From != "cards@example.com" {
			t.Errorf("a mail from %s to %s", mail.From, mail.To)
		}
	}
	for _, file := range []string{"mnt/dumps/giftcards-*.dump", "mnt/keys/keys-*.json"} {
		if found, _ := filepath.Glob(filepath.Join(p.dir, file)); len(found) != 1 {
			t.Errorf("backups %s: %v", file, found)
		}
	}
	// The job of cron, which runs the command that was tried by hand.
	job, err := os.ReadFile(filepath.Join(p.dir, "etc/cron.d/giftcards"))
	must(t, err)
	p.run(strings.SplitN(strings.TrimSpace(string(job)), " ", 7)[6])
}

// commandsOf returns the commands of a block. A command may have several lines.
func commandsOf(block string) (commands []string) {
	here, continued := false, false
	for line := range strings.Lines(block) {
		if here || continued {
			commands[len(commands)-1] += line
		} else {
			commands = append(commands, line)
		}
		if strings.Contains(line, "<<'END'") {
			here = true
		} else if line == "END\n" {
			here = false
		}
		continued = strings.HasSuffix(line, "\\\n")
	}
	return commands
}
