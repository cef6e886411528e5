// Package id makes and prints the contract's ids: 12 bytes, written as 24
// lower-case hexadecimal digits (PydanticObjectId in the document). Ids order
// by the second in which they were made.
package id

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"time"
)

// ID is a 12-byte id: four bytes of Unix seconds, five random bytes, and a
// three-byte counter, all big-endian. The zero ID stands for none.
type ID [12]byte

// MaxBlock is how many consecutive ids a block can hold.
const MaxBlock = 1 << 24

var (
	process = random()
	counter atomic.Uint32
)

func random() (b [5]byte) {
	// crypto/rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(b[:])
	return b
}

// New returns an id of the second now that no other call, here or in another
// process, returns.
func New(now time.Time) ID {
	return make12(now, process, counter.Add(1)&(MaxBlock-1))
}

// NewBlock returns the first of MaxBlock consecutive ids, all of the second now;
// the others are had by Plus. They are nobody else's.
func NewBlock(now time.Time) ID {
	return make12(now, random(), 0)
}

// Least returns the least id that can be of the second now.
func Least(now time.Time) ID { return make12(now, [5]byte{}, 0) }

func make12(now time.Time, middle [5]byte, low uint32) (id ID) {
	binary.BigEndian.PutUint32(id[0:], uint32(now.Unix()))
	copy(id[4:], middle[:])
	id[9], id[10], id[11] = byte(low>>16), byte(low>>8), byte(low)
	return id
}

// Plus returns the id n places after id in its block. It panics if the block
// ends before.
func (id ID) Plus(n int) ID {
	low := int(id[9])<<16 | int(id[10])<<8 | int(id[11])
	if n < 0 || low+n >= MaxBlock {
		panic(fmt.Sprintf("id: block of %s has no place %d", id, n))
	}
	low += n
	id[9], id[10], id[11] = byte(low>>16), byte(low>>8), byte(low)
	return id
}

// IsZero reports whether id is the zero ID.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the 24 lower-case hexadecimal digits of id.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// AppendText appends what String returns to b.
func (id ID) AppendText(b []byte) ([]byte, error) { return hex.AppendEncode(b, id[:]), nil }

// MarshalText returns what String returns.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText sets id from 24 hexadecimal digits.
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

// BytesValue writes id to a bytea column; the zero ID as null.
func (id ID) BytesValue() ([]byte, error) {
	if id.IsZero() {
		return nil, nil
	}
	return id[:], nil
}

// ScanBytes reads id from a bytea column; null as the zero ID.
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
