package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/keyring"
)

// Resealing is the progress of sealing all codes with the newest key. Once FinishedAt is set,
// no code is sealed with another key.
type Resealing = db.Reseal

// settleTime is longer than any transaction that seals codes may take. After this time, every
// transaction that used an older key has ended, and its cards can be seen.
const settleTime = 20 * time.Minute

// ResealStep is what to do after a step of resealing.
type ResealStep int

// The steps that may come.
const (
	ResealLater ResealStep = iota // another server does it, or it is too early for the next pass
	ResealMore                    // there are more cards to look at
	ResealOver                    // no code is sealed with another key
)

// Reseal looks at the next batch of cards, seals each code that an older key has sealed with
// the newest one, and stores its position. One server does it at a time.
//
// It is over after a full pass that began when no transaction could use an older key any
// more.
func (tx *Tx) Reseal(ctx context.Context, batch int) (ResealStep, error) {
	key := tx.store.keys.CodeKey()
	if known, err := tx.Resealing(ctx); known == nil {
		if err == nil {
			err = tx.q.InsertReseal(ctx, int64(key), tx.now)
		}
		return ResealLater, wrap(err, "insert reseal")
	}
	// LockReseal returns no row while another server holds the lock, and does not wait for it.
	state, err := tx.q.LockReseal(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return ResealLater, nil
	}
	if err != nil {
		return ResealLater, fmt.Errorf("lock reseal: %w", err)
	}
	if state.KeyID != int64(key) {
		if !tx.store.keys.HasCodeKey(uint32(state.KeyID)) {
			return ResealLater, nil // another server has a newer key file
		}
		// Our key is newer than the row's: begin again with it.
		state = Resealing{KeyID: int64(key), FirstSeenAt: tx.now, PassBeganAt: tx.now}
	}
	if state.FinishedAt != nil {
		return ResealOver, nil
	}
	seen, err := tx.resealAfter(ctx, &state, key, batch)
	if err != nil {
		return ResealLater, err
	}
	// A pass is complete when it saw less than a batch. Only a pass that began after
	// settleTime has seen every card, so an earlier one is followed by another.
	next, settled := ResealLater, state.FirstSeenAt.Add(settleTime)
	switch {
	case seen == batch:
		next = ResealMore
	case !state.PassBeganAt.Before(settled):
		if err := tx.resealKeyCheck(ctx); err != nil {
			return ResealLater, err
		}
		state.FinishedAt, next = &tx.now, ResealOver
	case !tx.now.Before(settled):
		state.PassBeganAt, next = tx.now, ResealMore
		state.ProgramID, state.CardID = [12]byte{}, [12]byte{}
	}
	return next, wrap(tx.q.UpdateReseal(ctx, db.UpdateResealParams{
		KeyID: state.KeyID, FirstSeenAt: state.FirstSeenAt, PassBeganAt: state.PassBeganAt,
		ProgramID: state.ProgramID, CardID: state.CardID, Resealed: state.Resealed, FinishedAt: state.FinishedAt,
	}), "update reseal")
}

// resealAfter looks at the cards after the state's position, and moves the position. It
// returns how many cards it saw.
func (tx *Tx) resealAfter(ctx context.Context, state *Resealing, key uint32, batch int) (int, error) {
	place := func(id [12]byte) []byte {
		if id == ([12]byte{}) {
			return []byte{} // sorts before all ids
		}
		return id[:]
	}
	rows, err := tx.q.ListSealedCodes(ctx, place(state.ProgramID), place(state.CardID), int32(batch))
	if err != nil {
		return 0, fmt.Errorf("list sealed codes: %w", err)
	}
	var programs, cards, old, codes [][]byte
	for _, row := range rows {
		state.ProgramID, state.CardID = row.ProgramID, row.ID
		if keyring.SealedWith(row.SealedCode, key) { // no index finds old codes, so the walk sees new ones too
			continue
		}
		code, err := tx.store.OpenCode(row.ID, row.SealedCode)
		if err != nil {
			return 0, err
		}
		sealed, err := tx.store.keys.Seal(code, row.ID[:])
		if err != nil {
			return 0, fmt.Errorf("card %s: %w", row.ID, err)
		}
		programs, cards = append(programs, row.ProgramID[:]), append(cards, row.ID[:])
		old, codes = append(old, row.SealedCode), append(codes, sealed)
	}
	if len(codes) == 0 {
		return len(rows), nil
	}
	resealed, err := tx.q.SetSealedCodes(ctx, db.SetSealedCodesParams{ProgramIds: programs, CardIds: cards, OldCodes: old, SealedCodes: codes})
	state.Resealed += resealed
	return len(rows), wrap(err, "set sealed codes")
}

func (tx *Tx) resealKeyCheck(ctx context.Context) error {
	sealed, err := tx.store.keys.Seal(keyCheckText, []byte(keyCheckName))
	if err != nil {
		return fmt.Errorf("seal key check: %w", err)
	}
	return wrap(tx.q.SetKeyCheck(ctx, sealed), "set key check")
}

// Resealing returns the progress, nil if no server has begun.
func (tx *Tx) Resealing(ctx context.Context) (*Resealing, error) {
	state, err := tx.q.FindReseal(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find reseal: %w", err)
	}
	return &state, nil
}

// CodeKey returns the id of the key that codes are sealed with now.
func (s *Store) CodeKey() uint32 { return s.keys.CodeKey() }
