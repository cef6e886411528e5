package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest/check"
	"giftcards/store/storetest/full"
)

// traveller runs the longer journey in its own world. All travellers share the client.
type traveller struct {
	t      *testing.T
	client *http.Client
	url    string
	world  struct {
		Name, MerchantID, ProgramID, Token string
		Neighbour                          struct{ ProgramID string }
	}
}

// send sends a request and returns the answer's body. If the answer has another status, send fails the
// test and returns nil.
func (tr *traveller) send(want int, method, path, body string, headers ...string) []byte {
	r, err := http.NewRequestWithContext(tr.t.Context(), method, tr.url+path, strings.NewReader(body))
	if err != nil {
		tr.t.Error(err)
		return nil
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+tr.world.Token)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	response, err := tr.client.Do(r)
	if err != nil {
		tr.t.Error(err)
		return nil
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		tr.t.Errorf("%s: %s %s: %d %s %v, want %d", tr.world.Name, method, path, response.StatusCode, answer, err, want)
		return nil
	}
	return answer
}

// properties are those of a JSON object.
type properties map[string]any

func (p properties) text(name string) string { return fmt.Sprint(p[name]) }

// ask is send for an answer that is a JSON object.
func (tr *traveller) ask(want int, method, path, body string, headers ...string) (answer properties) {
	if sent := tr.send(want, method, path, body, headers...); sent != nil {
		check.Must(tr.t, json.Unmarshal(sent, &answer))
	}
	return answer
}

// cardsOf returns the path of a program's cards.
func cardsOf(program string) string { return "/v2/giftcards/programs/" + program + "/cards" }

// live runs the journey in a new world, deletes the world, and returns the ids of its cards. stranger is
// a card of another world, and strangersCards is the path of that world's cards.
func (tr *traveller) live(name, strangersCards, stranger string) (ids []string) {
	made := tr.send(http.StatusCreated, http.MethodPost, "/sandbox/worlds", `{"name": "`+name+`"}`)
	if json.Unmarshal(made, &tr.world) != nil {
		return nil
	}
	cards := cardsOf(tr.world.ProgramID)
	// The key is the same in all worlds, because worlds must not share keys either.
	first := tr.ask(201, http.MethodPost, cards, `{"initialValue": "25.00", "merchantId": "`+tr.world.MerchantID+`"}`, "Idempotency-Key: the same in all worlds").text("id")
	card := cards + "/" + first
	tr.ask(200, http.MethodPost, card+"/activate", `{}`)
	tr.ask(200, http.MethodGet, card+"?include_transactions=true", "")
	redeemed := tr.ask(200, http.MethodPost, card+"/redeem", `{"amount": "10.00"}`)
	if refused := tr.ask(400, http.MethodPost, card+"/redeem", `{"amount": "15.01"}`); refused.text("detail") != "Insufficient gift card balance" {
		tr.t.Errorf("%s: refused with %v", name, refused)
	}
	tr.ask(200, http.MethodPost, card+"/transactions/"+redeemed.text("transactionId")+"/refund", `{"amount": "10.00"}`)
	number := tr.ask(200, http.MethodPost, card+"/reload", `{"amount": "5.00"}`).text("cardNumber")
	second := tr.ask(200, http.MethodPost, "/sandbox/states", `{"state": "an active card", "params": {"world": "`+name+`"}}`)
	tr.ask(200, http.MethodPost, cards+"/"+second.text("cardId")+"/transfer",
		fmt.Sprintf(`{"securityCode": "%s", "destinationCardNumber": "%s", "amount": "1.00"}`, second["securityCode"], number))
	if got := tr.ask(200, http.MethodGet, card, "").text("balance"); got != "31.00" {
		tr.t.Errorf("%s: the card has %s, want 31.00", name, got)
	}
	for _, path := range []string{"/v2/giftcards/programs/cards", "/v2/giftcards/programs/" + tr.world.ProgramID + "/search?q=" + number[len(number)-4:]} {
		tr.sees(path, first, second.text("cardId"))
	}
	ids = append(tr.issueByTask(cards), first, second.text("cardId"))
	for path, want := range map[string]int{
		strangersCards + "/" + stranger: 403, cards + "/" + stranger: 404, cardsOf(tr.world.Neighbour.ProgramID) + "/" + stranger: 403,
	} {
		tr.send(want, http.MethodGet, path, "")
	}
	tr.seesOnlyItsRequests()
	tr.send(204, http.MethodDelete, "/sandbox/worlds/"+name, "")
	tr.send(401, http.MethodGet, "/v2/token", "")
	return ids
}

// sees fails unless a list has at least one of the cards, and no others.
func (tr *traveller) sees(path string, cards ...string) {
	var listed []struct{ ID string }
	if answer := tr.send(200, http.MethodGet, path, ""); answer == nil || json.Unmarshal(answer, &listed) != nil || len(listed) == 0 || len(listed) > len(cards) {
		tr.t.Errorf("%s: GET %s: %s", tr.world.Name, path, answer)
		return
	}
	for _, card := range listed {
		if !strings.Contains(strings.Join(cards, " "), card.ID) {
			tr.t.Errorf("%s: GET %s shows the card %s of another world", tr.world.Name, path, card.ID)
		}
	}
}

const cardsOfTask = 60

// issueByTask issues cards by a task, and returns their ids in the order of the CSV.
func (tr *traveller) issueByTask(cards string) (ids []string) {
	task := tr.ask(202, http.MethodPost, cards+"/bulk", fmt.Sprintf(`{"initialValue": "5.00", "count": %d}`, cardsOfTask)).text("taskId")
	var link string
	check.Until(tr.t, "the end of the task of "+tr.world.Name, func() bool {
		polled := tr.ask(200, http.MethodGet, cards+"/bulk/"+task, "")
		link = polled.text("csvDownloadUrl")
		return polled == nil || polled.text("status") == "completed"
	})
	lines := strings.Split(strings.TrimSpace(string(tr.send(200, http.MethodGet, strings.TrimPrefix(link, tr.url), ""))), "\n")
	if len(lines) != cardsOfTask+1 {
		tr.t.Errorf("%s: the CSV has %d lines, want %d", tr.world.Name, len(lines), cardsOfTask+1)
	}
	for _, line := range lines[1:] {
		ids = append(ids, strings.TrimSpace(line[strings.LastIndex(line, ",")+1:]))
	}
	return ids
}

// seesOnlyItsRequests fails unless the world's journal has its own requests and no others.
func (tr *traveller) seesOnlyItsRequests() {
	var journal struct{ Requests []struct{ MerchantID string } }
	answer := tr.send(200, http.MethodGet, "/sandbox/requests?limit=1000&world="+tr.world.Name, "")
	if answer == nil || json.Unmarshal(answer, &journal) != nil || len(journal.Requests) < 15 {
		tr.t.Errorf("%s: the journal has %d requests", tr.world.Name, len(journal.Requests))
	}
	for _, request := range journal.Requests {
		if request.MerchantID != tr.world.MerchantID {
			tr.t.Errorf("%s: the journal has a request of the merchant %s", tr.world.Name, request.MerchantID)
		}
	}
}

// TestManyWorldsLiveInParallel: each world runs the longer journey, sees no other world, and is deleted.
// All of them begin at the same moment. The test prints the time, and the peak memory of the server's
// process.
func TestManyWorldsLiveInParallel(t *testing.T) {
	t.Parallel()
	full.Only()
	server := processtest.Serve(t, processtest.StateDir(t), processtest.FreeAddress(t), "GIFTCARDS_SANDBOX=true")
	count := full.Size(200, 8)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: count}, Timeout: 5 * time.Minute}
	victim := &traveller{t: t, client: client, url: server.URL()}
	must(t, json.Unmarshal(victim.send(201, http.MethodPost, "/sandbox/worlds", `{"name": "victim"}`), &victim.world))
	card := victim.ask(200, http.MethodPost, "/sandbox/states", `{"state": "an active card", "params": {"world": "victim"}}`).text("cardId")

	start := time.Now()
	owners := map[string]string{}
	var mutex sync.Mutex
	var all sync.WaitGroup
	for n := range count {
		all.Go(func() {
			name := fmt.Sprintf("world-%d", n)
			tr := &traveller{t: t, client: client, url: server.URL()}
			ids := tr.live(name, cardsOf(victim.world.ProgramID), card)
			mutex.Lock()
			defer mutex.Unlock()
			for _, id := range ids {
				if owner, taken := owners[id]; taken {
					t.Errorf("%s and %s have the same card %s", owner, name, id)
				}
				owners[id] = name
			}
		})
	}
	all.Wait()
	t.Logf("%d worlds, %d cards: %.1f s; the server's process held at most %s", count, len(owners), time.Since(start).Seconds(), peakMemory(t, server.Pid()))
	if want := count * (cardsOfTask + 2); len(owners) != want {
		t.Errorf("%d cards, want %d", len(owners), want)
	}
	victim.sees("/v2/giftcards/programs/cards", card)
	if log := server.Output(); strings.Contains(log, "level=ERROR") {
		t.Errorf("the log has errors:\n%s", server.LastWords())
	}
}

// peakMemory returns the peak memory of a process in words, or says that the system does not tell it.
func peakMemory(t *testing.T, pid int) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		return "what only Linux tells"
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("the kernel does not say what process %d has resident: %s", pid, status)
	}
	kib, err := strconv.Atoi(string(found[1]))
	must(t, err)
	return fmt.Sprintf("%d MiB (VmHWM)", kib>>10)
}
