// Package id makes, reads and prints the contract's ids: 12 bytes, written as 24 lower-case
// hexadecimal digits (PydanticObjectId in the document). Ids are ordered by the second in
// which they were made.
package id

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// ID is a 12-byte id: four bytes of Unix seconds and eight random bytes, both big-endian. An
// id does not help to guess other ids. The zero ID means no id.
//
// Two ids of the same second are equal with a probability of 2^-64. The table's primary key
// then refuses the second one. Its request fails and can be repeated.
type ID [12]byte

// MaxBlock is the largest number of consecutive ids in a block.
const MaxBlock = 1 << 24

// New returns an id of the second now.
func New(now time.Time) ID { return NewBlock(now, 1) }

// NewBlock returns the first of count consecutive ids of the second now. Plus returns the
// others. Two blocks of n and m ids of the same second overlap with a probability of about
// (n+m) * 2^-64. NewBlock panics unless count is from 1 to MaxBlock.
func NewBlock(now time.Time, count int) (id ID) {
	if count < 1 || count > MaxBlock {
		panic(fmt.Sprintf("id: block of %d", count))
	}
	id = Least(now)
	// crypto/rand.Read never returns an error; it ends the program instead.
	_, _ = rand.Read(id[4:])
	// The last three bytes count within the block, so that the first id must leave room for
	// the others. The remainder prefers some first ids by 2^-40, which does not matter.
	var random [8]byte
	_, _ = rand.Read(random[:])
	id.setLow(int(binary.BigEndian.Uint64(random[:]) % uint64(MaxBlock-count+1)))
	return id
}

// Least returns the smallest possible id of the second now.
func Least(now time.Time) (id ID) {
	binary.BigEndian.PutUint32(id[:], uint32(now.Unix()))
	return id
}

// Time returns the second in which id was made.
func (id ID) Time() time.Time { return time.Unix(int64(binary.BigEndian.Uint32(id[:])), 0).UTC() }

func (id ID) low() int { return int(id[9])<<16 | int(id[10])<<8 | int(id[11]) }

func (id *ID) setLow(low int) { id[9], id[10], id[11] = byte(low>>16), byte(low>>8), byte(low) }

// Plus returns the id n places after id in its block. It panics if the last three bytes would
// overflow.
func (id ID) Plus(n int) ID {
	low := id.low()
	if n < 0 || low+n >= MaxBlock {
		panic(fmt.Sprintf("id: block of %s has no place %d", id, n))
	}
	id.setLow(low + n)
	return id
}

// After reports whether id is ordered after other.
func (id ID) After(other ID) bool { return bytes.Compare(id[:], other[:]) > 0 }

// Compare returns -1, 0 or 1 if id is ordered before other, the same, or after it.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// Next returns the id that is ordered next after id. It panics after the greatest one.
func (id ID) Next() ID {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]++
		if id[i] != 0 {
			return id
		}
	}
	panic("id: there is none after the greatest")
}

// IsZero reports whether id is the zero ID.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the 24 lower-case hexadecimal digits of id.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// AppendText appends the text of String to b.
func (id ID) AppendText(b []byte) ([]byte, error) { return hex.AppendEncode(b, id[:]), nil }

// MarshalText returns the text of String.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText sets id to the result of Parse.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// Parse returns the id written as 24 lower-case hexadecimal digits.
func Parse(text string) (id ID, err error) {
	if len(text) != 24 {
		return ID{}, fmt.Errorf("id %q: want 24 hexadecimal digits", text)
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return ID{}, fmt.Errorf("id %q: want 24 hexadecimal digits", text)
	}
	if id.String() != text {
		return ID{}, fmt.Errorf("id %q: want lower-case digits", text)
	}
	return id, nil
}

// BytesValue returns id for a bytea column. The zero ID becomes null.
func (id ID) BytesValue() ([]byte, error) {
	if id.IsZero() {
		return nil, nil
	}
	return id[:], nil
}

// ScanBytes sets id from a bytea column. Null becomes the zero ID.
func (id *ID) ScanBytes(b []byte) error {
	switch len(b) {
	case 0:
		*id = ID{}
	case len(id):
		copy(id[:], b)
	default:
		return fmt.Errorf("id: %d bytes, want %d", len(b), len(id))
	}
	return nil
}
