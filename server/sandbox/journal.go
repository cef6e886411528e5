package sandbox

import (
	"container/list"
	"sync"
	"time"
)

// Bounds of the journal. They hold at every moment, also for requests under way.
const (
	requestsOfWorld = 1000     // of one merchant, and of all requests without a token
	journalBudget   = 32 << 20 // bytes of all requests
	keptOfBody      = 16 << 10 // bytes of a request's body and of an answer's
	keptOfHeaders   = 8 << 10  // bytes of the headers of a request and of an answer
	keptOfPath      = 2 << 10  // bytes of a path with its query
	recordCost      = 1 << 10  // bytes that a record takes beside these
)

// journal keeps the last requests in memory, the oldest first. Each instance has its own.
type journal struct {
	budget int64 // bytes

	mutex   sync.Mutex
	last    uint64 // number of the newest record
	size    int64  // bytes of all records
	records *list.List
	worlds  map[string]*list.List // records by merchant; "" is for requests without a token
}

func newJournal(budget int64) *journal {
	return &journal{
		budget: budget, records: list.New(), worlds: map[string]*list.List{},
		// Numbers also grow across a restart, because a client may ask for the records after one.
		last: uint64(time.Now().UnixMilli()),
	}
}

// add gives a record its number and keeps it.
func (j *journal) add(r *record) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.last++
	r.number, r.journal = j.last, j
	r.inJournal = j.records.PushBack(r)
	j.join(r, r.merchant)
	j.take(r, recordCost)
}

// join adds a record to the list of a merchant. The mutex must be held.
func (j *journal) join(r *record, merchant string) {
	world := j.worlds[merchant]
	if world == nil {
		world = list.New()
		j.worlds[merchant] = world
	}
	r.merchant, r.inWorld = merchant, world.PushBack(r)
	if world.Len() > requestsOfWorld {
		j.drop(world.Front().Value.(*record))
	}
}

// leave removes a record from the list of its merchant. The mutex must be held.
func (j *journal) leave(r *record) {
	world := j.worlds[r.merchant]
	world.Remove(r.inWorld)
	if world.Len() == 0 {
		delete(j.worlds, r.merchant)
	}
}

// take counts bytes that a record is about to hold, and drops the oldest records until the
// others fit into the budget. It returns false if the record itself was dropped, and so may hold
// nothing. The mutex must be held.
func (j *journal) take(r *record, bytes int64) bool {
	if r.inJournal == nil {
		return false
	}
	r.size += bytes
	j.size += bytes
	for j.size > j.budget {
		j.drop(j.records.Front().Value.(*record))
	}
	return r.inJournal != nil
}

// drop removes a record. Its request may still be under way and refer to it, so drop also frees
// the texts of the record. The mutex must be held.
func (j *journal) drop(r *record) {
	j.records.Remove(r.inJournal)
	j.leave(r)
	j.size -= r.size
	r.inJournal, r.inWorld, r.size = nil, nil, 0
	r.sent, r.answered = message{}, message{}
	r.path = ""
}

// forget drops all records of the merchants.
func (j *journal) forget(merchants ...string) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	for _, merchant := range merchants {
		// Dropping the last record removes the list from the map.
		for world := j.worlds[merchant]; world != nil && world.Len() > 0; {
			j.drop(world.Front().Value.(*record))
		}
	}
}

// matching returns the records that match, the newest first.
func (j *journal) matching(f requestFilter) []*record {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	var found []*record
	for at := j.records.Back(); at != nil && len(found) < f.limit; at = at.Prev() {
		r := at.Value.(*record)
		if r.number <= f.after { // older ones have smaller numbers
			break
		}
		if f.matches(r) {
			found = append(found, r)
		}
	}
	return found
}
