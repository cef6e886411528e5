package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// MaxWorlds is how many worlds a sandbox has at most. A few more are possible if several are
// made at the same moment.
const MaxWorlds = 10_000

// World is a merchant of a sandbox, for one suite of tests, and another merchant beside it
// that the suite must not reach. A database that is not marked as a sandbox refuses worlds.
type World struct {
	db.World
	Programs  []MerchantProgram // of the merchant, the one that tests use by default first
	Users     []User            // of the merchant, oldest first
	Neighbour Neighbour
}

// Neighbour is the other merchant of a world, with one program and one issuer.
type Neighbour struct {
	Program Program
	User    User
}

// WorldSpec describes a world to make.
type WorldSpec struct {
	Name     string
	Merchant string   // the merchant's name
	Programs []string // names, one at least; the first one is the world's program
	Users    []User   // as for AddUser, without a merchant
	// Neighbour is the issuer of the other merchant.
	Neighbour User
}

// AddWorld makes a world. It fails with ErrWorldExists, ErrTooManyWorlds, ErrBadName or
// ErrEmailTaken.
func (tx *Tx) AddWorld(ctx context.Context, n WorldSpec) (World, error) {
	count, err := tx.q.CountWorlds(ctx)
	switch {
	case err != nil:
		return World{}, fmt.Errorf("count worlds: %w", err)
	case count >= MaxWorlds:
		return World{}, ErrTooManyWorlds
	}
	// A statement that violates a constraint ends the transaction, so ask first. If two requests
	// ask at the same moment, the later one still gets the right error.
	if _, err := tx.q.FindWorld(ctx, n.Name); !errors.Is(err, pgx.ErrNoRows) {
		if err == nil {
			err = ErrWorldExists
		}
		return World{}, err
	}
	world := World{World: db.World{Name: n.Name, CreatedAt: tx.now}}
	if world.MerchantID, world.Programs, world.Users, err = tx.addMerchantOfWorld(ctx, n.Merchant, n.Programs, n.Users); err != nil {
		return World{}, err
	}
	world.ProgramID = world.Programs[0].ID
	var programs []MerchantProgram
	var users []User
	if world.NeighbourID, programs, users, err = tx.addMerchantOfWorld(ctx, "Neighbour", []string{"Gift cards"}, []User{n.Neighbour}); err != nil {
		return World{}, err
	}
	world.Neighbour = Neighbour{Program: Program{ID: programs[0].ID, MerchantID: world.NeighbourID}, User: users[0]}
	err = tx.q.InsertWorld(ctx, db.InsertWorldParams(world.World))
	if violates(err, constraintWorldName) {
		return World{}, ErrWorldExists
	}
	if err != nil {
		return World{}, fmt.Errorf("insert world: %w", err)
	}
	return world, nil
}

func (tx *Tx) addMerchantOfWorld(ctx context.Context, name string, programs []string, users []User) (merchant id.ID, made []MerchantProgram, people []User, err error) {
	added, err := tx.AddMerchant(ctx, name)
	if err != nil {
		return id.ID{}, nil, nil, err
	}
	for _, name := range programs {
		program, err := tx.AddProgram(ctx, added.ID, name)
		if err != nil {
			return id.ID{}, nil, nil, err
		}
		made = append(made, MerchantProgram{ID: program.ID, MerchantID: program.MerchantID, Name: program.Name, MerchantName: added.Name})
	}
	for _, user := range users {
		user.MerchantID = added.ID
		if user, err = tx.AddUser(ctx, user); err != nil {
			return id.ID{}, nil, nil, err
		}
		people = append(people, user)
	}
	return added.ID, made, people, nil
}

// FindWorld returns the world of a name. It fails with ErrWorldNotFound.
func (s *Store) FindWorld(ctx context.Context, name string) (World, error) {
	return Read(ctx, s, func(tx *Tx) (World, error) {
		row, err := tx.findWorld(ctx, name)
		if err != nil {
			return World{}, err
		}
		world := World{World: row}
		if world.Programs, err = tx.q.ListProgramsOfMerchant(ctx, row.MerchantID); err != nil {
			return World{}, fmt.Errorf("find programs of world: %w", err)
		}
		slices.SortFunc(world.Programs, world.compare)
		neighbours, err := tx.q.ListProgramsOfMerchant(ctx, row.NeighbourID)
		if err != nil {
			return World{}, fmt.Errorf("find neighbour of world: %w", err)
		}
		// It has one program, which lives as long as the world.
		world.Neighbour.Program = Program{ID: neighbours[0].ID, MerchantID: row.NeighbourID}
		users, err := tx.q.ListUsersOfMerchants(ctx, world.merchants())
		for _, user := range users {
			if user.MerchantID == row.NeighbourID {
				world.Neighbour.User = user
				continue
			}
			world.Users = append(world.Users, user)
		}
		return world, wrap(err, "find users of world")
	})
}

// compare puts the world's own program before all others, and these in the order of names.
func (w World) compare(a, b MerchantProgram) int {
	switch w.ProgramID {
	case a.ID:
		return -1
	case b.ID:
		return 1
	}
	return cmp.Compare(a.Name, b.Name)
}

func (tx *Tx) findWorld(ctx context.Context, name string) (db.World, error) {
	row, err := tx.q.FindWorld(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return db.World{}, ErrWorldNotFound
	}
	return row, wrap(err, "find world")
}

func (w World) merchants() [][]byte { return [][]byte{w.MerchantID[:], w.NeighbourID[:]} }

// Worlds returns all worlds by name, without what is in them.
func (s *Store) Worlds(ctx context.Context) ([]World, error) {
	rows, err := s.q.ListWorlds(ctx)
	return each(rows, func(row db.World) World { return World{World: row} }), classify(wrap(err, "list worlds"))
}

// DeleteWorld deletes a world with everything that belongs to it: its cards, their entries in
// the ledger, messages that wait, tasks, jobs, keys, people, and its entries in the audit log.
// Then it writes entry to the audit log, where it stays. It fails with ErrWorldNotFound.
//
// The ids of tokens that were logged out stay until they expire, and the wrong codes of a card
// number for an hour; both are no use to anybody. A request of the world that runs at the same
// moment may leave a card behind that nobody can reach.
func (s *Store) DeleteWorld(ctx context.Context, name string, entry AuditEntry) error {
	// The users are deactivated by a transaction of their own. After its commit no request of
	// theirs begins, and a worker stops its task at the next chunk of cards.
	world, err := Write(ctx, s, func(tx *Tx) (World, error) {
		row, err := tx.findWorld(ctx, name)
		if err != nil {
			return World{}, err
		}
		world := World{World: row}
		if err := tx.q.LockUsersOfMerchants(ctx, world.merchants()); err != nil {
			return World{}, fmt.Errorf("lock users of world: %w", err)
		}
		return world, wrap(tx.q.EndUsersOfMerchants(ctx, tx.endOfTokens(), world.merchants()), "end users of world")
	})
	if err != nil {
		return err
	}
	return Do(ctx, s, func(tx *Tx) error {
		if err := tx.deleteWorld(ctx, world); err != nil {
			return err
		}
		return tx.Audit(ctx, world.Audited(entry)) // after the deletions, which would delete it
	})
}

// Audited returns entry with the world as its subject.
func (w World) Audited(entry AuditEntry) AuditEntry {
	entry.MerchantID, entry.ProgramID, entry.Subject = w.MerchantID, w.ProgramID, w.MerchantID[:]
	return entry
}

const deleteWorldRowSQL = "delete from worlds where merchant_id = any ($1)"

// deletions delete everything that belongs to some merchants, programs and users. $1 holds the ids of
// all of them, because no two things have the same id. The order matters: tasks come first, because a worker holds its task until its transaction ends,
// and so the statements after it see all of its cards. Entries of the ledger come after their
// program, and those of the audit log after their merchant, because the database refuses to
// delete them as long as these exist.
var deletions = []string{
	"delete from bulk_tasks where program_id = any ($1)",
	deleteWorldRowSQL,
	"delete from programs where merchant_id = any ($1)",
	"delete from ledger_entries where program_id = any ($1)",
	"delete from gift_cards where program_id = any ($1)",
	"delete from messages where program_id = any ($1)",
	"delete from task_recipients where program_id = any ($1)",
	"delete from task_cancellations where program_id = any ($1)",
	"delete from idempotency_keys where program_id = any ($1)",
	"delete from card_totals where program_id = any ($1)",
	// A running job finds that its task has gone, and ends.
	"delete from river_job where state <> 'running' and args ->> 'program_id' in (select encode(i, 'hex') from unnest($1::bytea[]) as i)",
	"delete from issuing_limits where scope = any ($1)",
	"delete from issued_totals where scope = any ($1)",
	"delete from known_logins where user_id = any ($1)",
	"delete from users where merchant_id = any ($1)",
	"delete from merchants where id = any ($1)",
	"delete from audit_log where merchant_id = any ($1)",
}

func (tx *Tx) deleteWorld(ctx context.Context, world World) error {
	ids, err := tx.q.FindIDsOfMerchants(ctx, world.merchants())
	if err != nil {
		return fmt.Errorf("find programs and users of world: %w", err)
	}
	ids = append(ids, world.MerchantID, world.NeighbourID)
	batch := &pgx.Batch{}
	for _, statement := range deletions {
		batch.Queue(statement, ids).Exec(func(deleted pgconn.CommandTag) error {
			if statement == deleteWorldRowSQL && deleted.RowsAffected() == 0 { // another request has just deleted it
				return ErrWorldNotFound
			}
			return nil
		})
	}
	return wrap(tx.tx.SendBatch(ctx, batch).Close(), "delete world")
}
