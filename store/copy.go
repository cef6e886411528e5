package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
	"giftcards/store/money"
)

// copyRows writes rows to a table by COPY. It does not use pgx's CopyFrom, which looks up for each
// value of each row how to write it. That took half of the server's time for a task.
func copyRows[Row any](ctx context.Context, tx pgx.Tx, table string, columns []column[Row], rows []Row) (err error) {
	conn := tx.Conn()
	if tracer, ok := conn.Config().Tracer.(pgx.CopyFromTracer); ok {
		ctx = tracer.TraceCopyFromStart(ctx, conn, pgx.TraceCopyFromStartData{TableName: pgx.Identifier{table}, ColumnNames: names(columns)})
		defer func() { tracer.TraceCopyFromEnd(ctx, conn, pgx.TraceCopyFromEndData{Err: err}) }()
	}
	sql := fmt.Sprintf("copy %s (%s) from stdin (format binary)", table, strings.Join(names(columns), ", "))
	_, err = conn.PgConn().CopyFrom(ctx, &copyReader[Row]{columns: columns, rows: rows, encoded: []byte(copySignature)}, sql)
	return err
}

// copySignature begins the binary format: it has no flags and no extension of its header.
const copySignature = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// copyReader encodes rows in the binary format of COPY while they are read, so that a chunk is
// never in memory twice.
type copyReader[Row any] struct {
	columns []column[Row]
	rows    []Row  // not encoded yet
	encoded []byte // not read yet
}

// Read fills p, unless the rows end.
func (r *copyReader[Row]) Read(p []byte) (int, error) {
	for len(r.encoded) < len(p) && len(r.rows) > 0 {
		if err := r.encode(r.rows[0]); err != nil {
			return 0, err
		}
		r.rows = r.rows[1:]
	}
	if len(r.encoded) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.encoded)
	r.encoded = append(r.encoded[:0], r.encoded[n:]...) // less than one row is left
	return n, nil
}

// encode appends the number of columns, and each value with its length.
func (r *copyReader[Row]) encode(row Row) (err error) {
	r.encoded = binary.BigEndian.AppendUint16(r.encoded, uint16(len(r.columns)))
	for _, c := range r.columns {
		if r.encoded, err = c.copied(r.encoded, row); err != nil {
			return fmt.Errorf("encode %s: %w", c.name, err)
		}
	}
	return nil
}

// appendCopied appends the length of a value and its bytes, as pgx does. It fails for a value of a
// type that no copied column has yet.
func appendCopied[Value any](b []byte, value Value) ([]byte, error) {
	switch v := any(value).(type) {
	case id.ID: // the columns have null where an id is zero
		if v.IsZero() {
			return appendNull(b), nil
		}
		return append(appendLength(b, len(v)), v[:]...), nil
	case []byte:
		if v == nil {
			return appendNull(b), nil
		}
		return append(appendLength(b, len(v)), v...), nil
	case string:
		return append(appendLength(b, len(v)), v...), nil
	case *string:
		if v == nil {
			return appendNull(b), nil
		}
		return append(appendLength(b, len(*v)), *v...), nil
	case bool:
		if v {
			return append(appendLength(b, 1), 1), nil
		}
		return append(appendLength(b, 1), 0), nil
	case int16:
		return binary.BigEndian.AppendUint16(appendLength(b, 2), uint16(v)), nil
	case int64:
		return binary.BigEndian.AppendUint64(appendLength(b, 8), uint64(v)), nil
	case time.Time:
		return appendTime(b, v), nil
	case *time.Time:
		if v == nil {
			return appendNull(b), nil
		}
		return appendTime(b, *v), nil
	case money.Amount:
		start := len(b)
		b, err := v.AppendNumeric(appendLength(b, 0))
		if err == nil {
			binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
		}
		return b, err
	}
	return b, fmt.Errorf("no encoding for a %T", value)
}

func appendLength(b []byte, length int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(length))
}

func appendNull(b []byte) []byte { return appendLength(b, -1) }

// appendTime appends the microseconds since 2000, which PostgreSQL has in a timestamptz.
func appendTime(b []byte, t time.Time) []byte {
	const year2000 = 946_684_800_000_000 // in microseconds
	return binary.BigEndian.AppendUint64(appendLength(b, 8), uint64(t.UnixMicro()-year2000))
}
