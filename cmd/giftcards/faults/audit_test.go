package faults_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// issued is the part of an answer that describes cards.
type issued struct {
	ID, CardNumber, TaskID, Status string
	IssuedCount                    int
	Cards                          []struct{ ID, CardNumber string }
	NewCard                        struct{ ID, CardNumber string }
	CsvDownloadURL                 string
}

// audit compares the database with the answers. Each order must have had its effect once, and nothing
// may exist without an order. The servers must be running.
func (l *load) audit(database string) {
	l.trial.Helper()
	a := &audit{load: l, trial: l.trial, answered: map[string]string{}, owner: map[string]string{}}
	a.replay()
	a.tasks()
	conn, err := pgx.Connect(l.trial.ctx, database)
	l.trial.must(err)
	defer conn.Close(l.trial.ctx)
	a.cardsIn(conn)
	a.keysIn(conn)
	a.restIn(conn)
	a.entriesIn(conn)
	a.ledger(database)
}

type audit struct {
	*load
	trial    *trial
	mutex    sync.Mutex
	answered map[string]string // card number, by id
	owner    map[string]string // order, by id
	messages int
}

// saw records a card of an order's answer.
func (a *audit) saw(key, id, number string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if other, double := a.owner[id]; double {
		a.trial.exceptionf("card %s is of %s and of %s", id, other, key)
	}
	a.answered[id], a.owner[id] = number, key
}

// replay sends every order again. The answer must equal the first one.
func (a *audit) replay() {
	next := a.list(a.orders)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for o := next(); o != nil; o = next() {
				if o.blind {
					continue
				}
				if status, answer := a.untilAnswered(o); !same(o, status, answer) {
					a.trial.exceptionf("%s: first %d %.300s, then %d %.300s", o.key, o.status, o.answer, status, answer)
				}
			}
		})
	}
	all.Wait()
}

// tasks waits for the end of every task, and reads the cards of each order.
func (a *audit) tasks() {
	deadline := time.Now().Add(2 * time.Minute)
	var tasks []*order
	for _, o := range a.orders {
		if o.task {
			tasks = append(tasks, o)
			continue
		}
		a.messages += o.messages
		var answer issued
		_ = json.Unmarshal(o.answer, &answer)
		if answer.NewCard.ID != "" {
			a.saw(o.key, answer.NewCard.ID, answer.NewCard.CardNumber)
		}
		if o.entry != "" { // the order changes cards of other orders
			continue
		}
		if answer.ID != "" {
			a.saw(o.key, answer.ID, answer.CardNumber)
		}
		if len(answer.Cards) != answer.IssuedCount || o.path == bulkPath && answer.IssuedCount != o.cards {
			a.trial.exceptionf("%s: %d cards, want %d", o.key, len(answer.Cards), o.cards)
		}
		for _, card := range answer.Cards {
			a.saw(o.key, card.ID, card.CardNumber)
		}
	}
	next := a.list(tasks)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for o := next(); o != nil; o = next() {
				a.task(o, deadline)
			}
		})
	}
	all.Wait()
}

func (a *audit) task(o *order, deadline time.Time) {
	var accepted, task issued
	_ = json.Unmarshal(o.answer, &accepted)
	for ; ; time.Sleep(20 * time.Millisecond) {
		status, answer, err := a.do(http.MethodGet, bulkPath+"/"+accepted.TaskID, "", "")
		if err == nil && status == http.StatusOK && json.Unmarshal(answer, &task) == nil && (task.Status == "completed" || task.Status == "failed") {
			break
		}
		if time.Now().After(deadline) {
			a.trial.exceptionf("%s: task %s is still %d %.300s %v", o.key, accepted.TaskID, status, answer, err)
			return
		}
	}
	want := o.cards
	if task.Status == "failed" {
		want = 0
	}
	if task.IssuedCount != want || len(task.Cards) != want {
		a.trial.exceptionf("%s: task %s has %d cards, lists %d, want %d", o.key, task.Status, task.IssuedCount, len(task.Cards), want)
	}
	for _, card := range task.Cards {
		a.saw(o.key, card.ID, card.CardNumber)
	}
	if want > 0 {
		a.mutex.Lock()
		a.messages += o.messages
		a.mutex.Unlock()
	}
	if byCount := o.messages == 0; byCount && want > 0 {
		a.csv(o, task)
	}
}

// csv reads a task's CSV.
func (a *audit) csv(o *order, task issued) {
	status, rows, err := a.rows(task.CsvDownloadURL)
	if err != nil || status != http.StatusOK || len(rows) != o.cards+1 {
		a.trial.exceptionf("%s: CSV %d with %d rows of %d cards: %v", o.key, status, len(rows), o.cards, err)
	}
}

// rows reads the rows of a CSV, of which the first has the names of the columns.
func (l *load) rows(address string) (status int, rows [][]string, err error) {
	status, text, err := l.send(http.MethodGet, address, "", "")
	if err != nil {
		return status, nil, err
	}
	rows, err = csv.NewReader(bytes.NewReader(text)).ReadAll()
	return status, rows, err
}

// cardsIn checks that the database has each answered card and no other.
func (a *audit) cardsIn(conn *pgx.Conn) {
	rows, err := conn.Query(a.trial.ctx, "select encode(id, 'hex'), card_number, coalesce(customer_name, '') from gift_cards")
	a.trial.must(err)
	numbers := map[int64]string{}
	blind := map[string]int{}
	var id, name string
	var number int64
	_, err = pgx.ForEachRow(rows, []any{&id, &number, &name}, func() error {
		a.trial.cards.Add(1)
		if other, double := numbers[number]; double {
			a.trial.exceptionf("cards %s and %s have one number", id, other)
		}
		numbers[number] = id
		switch answered, found := a.answered[id]; {
		case !found && strings.HasPrefix(name, blindName):
			blind[name]++
		case !found:
			a.trial.exceptionf("card %s is nobody's", id)
		case answered != strconv.FormatInt(number, 10):
			a.trial.exceptionf("card %s of %s has another number than was answered", id, a.owner[id])
		}
		delete(a.answered, id)
		return nil
	})
	a.trial.must(err)
	// Without a key, an order may have had its effect without an answer.
	for _, o := range a.orders {
		if blind[o.key] > 1 || blind[o.key] > 0 && o.answer != nil {
			a.trial.exceptionf("%s was sent once, and has %d cards beside the one answered: %s", o.key, blind[o.key], o.answer)
		}
		delete(blind, o.key)
	}
	for name := range blind {
		a.trial.exceptionf("the card of %s is nobody's", name)
	}
	for id := range a.answered {
		a.trial.exceptionf("card %s was answered to %s and is lost", id, a.owner[id])
	}
}

// keysIn checks that the database has one idempotency key for each order and no other.
func (a *audit) keysIn(conn *pgx.Conn) {
	rows, err := conn.Query(a.trial.ctx, "select key, status from idempotency_keys")
	a.trial.must(err)
	want := map[string]int{}
	for _, o := range a.orders {
		if !o.blind {
			want[o.key] = o.status
		}
	}
	var key string
	var status int
	_, err = pgx.ForEachRow(rows, []any{&key, &status}, func() error {
		if answered, ordered := want[key]; !ordered || answered != status {
			a.trial.exceptionf("key %s is kept with %d, answered was %d", key, status, answered)
		}
		delete(want, key)
		return nil
	})
	a.trial.must(err)
	for key := range want {
		a.trial.exceptionf("key %s is not kept", key)
	}
}

// restIn checks the number of the other rows that the orders write.
func (a *audit) restIn(conn *pgx.Conn) {
	tasks := 0
	for _, o := range a.orders {
		if o.task {
			tasks++
		}
	}
	for query, want := range map[string]int{
		"select count(*) from bulk_tasks":                                             tasks,
		"select count(*) from bulk_tasks where status not in ('completed', 'failed')": 0,
		"select count(*) from task_recipients":                                        0,
		"select count(*) from messages":                                               a.messages,
	} {
		var got int
		a.trial.must(conn.QueryRow(a.trial.ctx, query).Scan(&got))
		if got != want {
			a.trial.exceptionf("%s: %d, want %d", query, got, want)
		}
	}
}
