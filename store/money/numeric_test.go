package money_test

import (
	"math/big"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"giftcards/store/money"
)

// newMap returns a map of types as the store's connections have it.
func newMap() *pgtype.Map {
	m := pgtype.NewMap()
	money.RegisterCodec(m)
	return m
}

var formats = map[string]int16{"text": pgtype.TextFormatCode, "binary": pgtype.BinaryFormatCode}

func TestNumericKeepsValueAndScaleInTextAndBinary(t *testing.T) {
	t.Parallel()
	texts := append(decimals(t, 2000), "0.01", "0.010", "10000.00", "100000000.00", "100000000.000", "5000.005", "0.0000000000000001", "-0.50", "0.00")
	for name, format := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			codec := newMap()
			for _, text := range texts {
				wire, err := codec.Encode(pgtype.NumericOID, format, parse(t, text), nil)
				if err != nil {
					t.Fatalf("encode %s: %v", text, err)
				}
				var back money.Amount
				if err := codec.Scan(pgtype.NumericOID, format, wire, &back); err != nil {
					t.Fatalf("scan %s: %v", text, err)
				}
				if back.String() != text {
					t.Fatalf("%s came back as %v", text, back)
				}
			}
		})
	}
}

func TestNumericOfPostgresReadsBackAsPrinted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		numeric pgtype.Numeric
		want    string
	}{
		{pgtype.Numeric{Int: big.NewInt(25), Valid: true}, "25.00"},
		{pgtype.Numeric{Int: big.NewInt(25), Exp: 3, Valid: true}, "25000.00"},
		{pgtype.Numeric{Int: big.NewInt(-25), Exp: 20, Valid: true}, "-2500000000000000000000.00"},
		{pgtype.Numeric{Int: big.NewInt(-5), Exp: -3, Valid: true}, "-0.005"},
		{pgtype.Numeric{Int: big.NewInt(0), Exp: -1, Valid: true}, "0.00"},
		{pgtype.Numeric{Valid: true}, "0.00"},
	} {
		var amount money.Amount
		if err := amount.ScanNumeric(c.numeric); err != nil || amount.String() != c.want {
			t.Errorf("ScanNumeric(%v) = %v, %v, want %s", c.numeric, amount, err, c.want)
		}
	}
}

func TestNumericThatIsNoAmountIsRefused(t *testing.T) {
	t.Parallel()
	for _, numeric := range []pgtype.Numeric{
		{},
		{NaN: true, Valid: true},
		{InfinityModifier: pgtype.Infinity, Valid: true},
		{InfinityModifier: pgtype.NegativeInfinity, Valid: true},
		{Int: big.NewInt(1), Exp: 2_000_000_000, Valid: true},
		{Int: big.NewInt(1), Exp: -money.MaxDecimals - 1, Valid: true},
	} {
		amount := parse(t, "3")
		if err := amount.ScanNumeric(numeric); err == nil || amount.String() != "3.00" {
			t.Errorf("ScanNumeric(%+v) = %v, leaving %v", numeric, err, amount)
		}
	}
}

func TestNullScansIntoAPointer(t *testing.T) {
	t.Parallel()
	for name, format := range formats {
		amount := new(money.Amount)
		if err := newMap().Scan(pgtype.NumericOID, format, nil, &amount); err != nil || amount != nil {
			t.Errorf("%s: NULL scans into a pointer as %v, %v", name, amount, err)
		}
		var direct money.Amount
		if err := newMap().Scan(pgtype.NumericOID, format, nil, &direct); err == nil {
			t.Errorf("%s: NULL scans into an Amount", name)
		}
	}
}

func TestScannedNumericIsNotShared(t *testing.T) {
	t.Parallel()
	shared := big.NewInt(525)
	var amount money.Amount
	if err := amount.ScanNumeric(pgtype.Numeric{Int: shared, Exp: -2, Valid: true}); err != nil {
		t.Fatal(err)
	}
	shared.SetInt64(1)
	numeric, err := amount.NumericValue()
	if err != nil {
		t.Fatal(err)
	}
	numeric.Int.SetInt64(2)
	if amount.String() != "5.25" {
		t.Errorf("amount changed with a number it was made from or gave away: %v", amount)
	}
}
