package store

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"giftcards/store/id"
	"giftcards/store/money"
)

// oids are those of the types of copied columns.
var oids = map[string]uint32{
	"bytea": pgtype.ByteaOID, "text": pgtype.TextOID, "boolean": pgtype.BoolOID, "smallint": pgtype.Int2OID, "bigint": pgtype.Int8OID,
	"numeric": pgtype.NumericOID, "timestamptz": pgtype.TimestamptzOID,
}

// likePgx fails unless COPY gets the rows as pgx would have written them.
func likePgx[Row any](t *testing.T, columns []column[Row], rows ...Row) {
	t.Helper()
	types := pgtype.NewMap()
	money.RegisterCodec(types)
	want := []byte(copySignature)
	for _, row := range rows {
		want = binary.BigEndian.AppendUint16(want, uint16(len(columns)))
		for _, c := range columns {
			value, err := types.Encode(oids[c.sqlType], pgtype.BinaryFormatCode, c.value(row), []byte{})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if value == nil {
				want = append(want, 0xff, 0xff, 0xff, 0xff)
				continue
			}
			want = append(binary.BigEndian.AppendUint32(want, uint32(len(value))), value...)
		}
	}
	newReader := func() io.Reader {
		return &copyReader[Row]{columns: columns, rows: rows, encoded: []byte(copySignature)}
	}
	// Pieces of any size are the same stream.
	for size, reader := range map[string]io.Reader{"large": newReader(), "of a byte": iotest.OneByteReader(newReader())} {
		got, err := io.ReadAll(reader)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("in pieces that are %s: %v\n got %q\nwant %q", size, err, got, want)
		}
	}
}

// TestCopyGetsTheBytesThatPgxWouldWrite, for every column of a card and of a message.
func TestCopyGetsTheBytesThatPgxWouldWrite(t *testing.T) {
	t.Parallel()
	amount := func(text string) money.Amount {
		t.Helper()
		a, err := money.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	of := func(text string) *string { return &text }
	now := time.Date(2026, 11, 27, 3, 4, 5, 678_901_234, time.FixedZone("", 3600))
	long, before := of(strings.Repeat("ü\x00'\n", 3_000)), time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	likePgx(t, cardColumns,
		&GiftCard{},
		&GiftCard{
			ProgramID: id.New(now), ID: id.New(now), CardNumber: 9_999_999_999_999_999, SealedCode: []byte{0, 1, 255}, InitialValue: amount("25.00"),
			IsPhysical: true, DesignTemplate: of(""), CustomerEmail: of("a@example.com"), CustomerPhone: of("+49301234567"), CustomerName: of("Grace"),
			SenderName: of("Ada"), CustomMessage: long, DeliverAt: &now, ExpiresAt: before, CreatedAt: now,
		},
		&GiftCard{SealedCode: []byte{}, InitialValue: amount("0.00"), CardNumber: -1, DeliverAt: &before},
		&GiftCard{InitialValue: amount("10000"), ExpiresAt: now.AddDate(5000, 0, 0)},
		&GiftCard{InitialValue: amount("1234567890123456789012345678901234567890.123456789")},
		&GiftCard{InitialValue: amount("0." + strings.Repeat("0", 99) + "1")},
	)
	likePgx(t, messageColumns,
		&Message{},
		&Message{
			ProgramID: id.New(now), CardID: id.New(now), Channel: ChannelSMS, Kind: MessageCard, Sequence: 32767, Address: "+49301234567", Bulk: true,
			SendAt: before, NextAttemptAt: now, CreatedAt: now,
		},
		&Message{Sequence: -1},
	)
}
