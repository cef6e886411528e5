package money_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"giftcards/store/money"
)

// TestAnAmountIsWrittenAndReadAsByPgx, alone and in an array: each side reads the other's bytes.
func TestAnAmountIsWrittenAndReadAsByPgx(t *testing.T) {
	t.Parallel()
	ours, theirs := newMap(), pgtype.NewMap()
	texts := append(decimals(t, 2000),
		"0.01", "0.10", "1.00", "-1.00", "25.00", "10000.00", "12345678.90", "999999999999.9999", "9999999999999.999", "0.0001", "-0.00010000",
		"0.9999999999999999", "0.00000000000000001", "1000000000000000.00", "9999999999999999.00", "10000000000000000.00", "100000000.0000")
	for _, text := range texts {
		amount := parse(t, text)
		for oid, value := range map[uint32]any{pgtype.NumericOID: amount, pgtype.NumericArrayOID: []money.Amount{amount, amount}} {
			for writer, reader := range map[*pgtype.Map]*pgtype.Map{ours: theirs, theirs: ours} {
				wire, err := writer.Encode(oid, pgtype.BinaryFormatCode, value, nil)
				if err != nil {
					t.Fatalf("write %s: %v", text, err)
				}
				var back []money.Amount
				if oid == pgtype.NumericOID {
					back = make([]money.Amount, 1)
					err = reader.Scan(oid, pgtype.BinaryFormatCode, wire, &back[0])
				} else {
					err = reader.Scan(oid, pgtype.BinaryFormatCode, wire, &back)
				}
				if err != nil {
					t.Fatalf("read %s: %v", text, err)
				}
				for _, got := range back {
					if got.String() != text || got.Decimals() != amount.Decimals() {
						t.Fatalf("%s came back as %s with %d decimals", text, got, got.Decimals())
					}
				}
			}
		}
	}
}

// FuzzNumericBytesAreReadAsByPgx, also bytes that are no numeric.
func FuzzNumericBytesAreReadAsByPgx(f *testing.F) {
	numeric := func(weight int16, sign, decimals uint16, digits ...uint16) []byte {
		var b []byte
		for _, n := range append([]uint16{uint16(len(digits)), uint16(weight), sign, decimals}, digits...) {
			b = binary.BigEndian.AppendUint16(b, n)
		}
		return b
	}
	whole := numeric(0, 0, 2, 25)
	for _, seed := range [][]byte{
		nil, whole, whole[:7], whole[:9], append(bytes.Clone(whole), 0), numeric(0, 0, 0), numeric(0, 0, 3), numeric(5, 0x4000, 2),
		numeric(1, 0x4000, 2, 1, 2, 3400), numeric(-1, 0, 4, 1), numeric(-2, 0, 4, 1), numeric(3, 0, 0, 9999), numeric(4, 0, 0, 1), numeric(3, 0, 1, 9999),
		numeric(0, 0, 2, 1, 2345), numeric(0, 0, 0, 1, 5000), numeric(0, 0xc000, 0), numeric(0, 0xd000, 0), numeric(0, 7, 0, 1), numeric(0, 0, 0xffff, 1),
		numeric(-1, 0, 0), numeric(0, 0, 2, 0xffff), numeric(2, 0, 0, 0, 0, 1),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var got, want money.Amount
		err := newMap().Scan(pgtype.NumericOID, pgtype.BinaryFormatCode, wire, &got)
		wrong := pgtype.NewMap().Scan(pgtype.NumericOID, pgtype.BinaryFormatCode, wire, &want)
		if (err != nil) != (wrong != nil) || got.String() != want.String() || got.Decimals() != want.Decimals() {
			t.Errorf("%x is read as %s (%v), and by pgx as %s (%v)", wire, got, err, want, wrong)
		}
	})
}

// BenchmarkNumeric writes a usual amount for PostgreSQL and reads it.
func BenchmarkNumeric(b *testing.B) {
	for name, codec := range map[string]*pgtype.Map{"ours": newMap(), "pgx": pgtype.NewMap()} {
		b.Run(name, func(b *testing.B) {
			var amount any = parse(b, "1234.56")
			var back money.Amount
			var wire []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if wire, err = codec.Encode(pgtype.NumericOID, pgtype.BinaryFormatCode, amount, wire[:0]); err != nil {
					b.Fatal(err)
				}
				if err := codec.Scan(pgtype.NumericOID, pgtype.BinaryFormatCode, wire, &back); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
