package money

import (
	"encoding/binary"

	"github.com/jackc/pgx/v5/pgtype"
)

// RegisterCodec makes a connection read and write the numerics of usual amounts several times
// faster than pgx, which computes with big integers. The others are left to pgx.
func RegisterCodec(m *pgtype.Map) {
	numeric := &pgtype.Type{Name: "numeric", OID: pgtype.NumericOID, Codec: codec{}}
	m.RegisterType(numeric)
	m.RegisterType(&pgtype.Type{Name: "_numeric", OID: pgtype.NumericArrayOID, Codec: &pgtype.ArrayCodec{ElementType: numeric}})
}

// codec is that of pgx, except for an Amount in PostgreSQL's binary format. That is the number of
// digits, the weight of the first one, the sign, the number of decimals, and then the digits,
// each two bytes. The digits are those to the base of 10,000, so the weight of the last one before
// the point is 0.
type codec struct{ pgtype.NumericCodec }

const (
	digitBase   = 10_000
	digitPlaces = 4 // decimal digits in one digit
	headBytes   = 8
	negative    = 0x4000
	// fastDigits is how many digits fit into a uint64 together with their decimals.
	fastDigits = 4
)

// powers are those of ten.
var powers = [...]uint64{1, 10, 100, 1000}

// PlanEncode returns how a value is written.
func (c codec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	plan := c.NumericCodec.PlanEncode(m, oid, format, value)
	if _, ok := value.(Amount); ok && format == pgtype.BinaryFormatCode {
		return writePlan{plan}
	}
	return plan
}

// PlanScan returns how a value is read.
func (c codec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	plan := c.NumericCodec.PlanScan(m, oid, format, target)
	if _, ok := target.(*Amount); ok && format == pgtype.BinaryFormatCode {
		return readPlan{plan}
	}
	return plan
}

type readPlan struct{ usual pgtype.ScanPlan }

// Scan sets an *Amount.
func (p readPlan) Scan(source []byte, target any) error {
	if a, ok := target.(*Amount); ok && a.scanDigits(source) {
		return nil
	}
	return p.usual.Scan(source, target)
}

// scanDigits sets the amount from a numeric of a few digits. For any other one it reports false.
func (a *Amount) scanDigits(source []byte) bool {
	if len(source) < headBytes {
		return false
	}
	digits := int(binary.BigEndian.Uint16(source))
	weight := int(int16(binary.BigEndian.Uint16(source[2:])))
	sign := binary.BigEndian.Uint16(source[4:])
	decimals := int(binary.BigEndian.Uint16(source[6:]))
	after := (decimals + digitPlaces - 1) / digitPlaces // digits after the point
	switch {
	case len(source) != headBytes+2*digits, sign != 0 && sign != negative:
		return false
	case digits == 0: // as pgx reads it, whatever its decimals are
		*a = Amount{}
		return true
	case weight+after >= fastDigits, digits > weight+1+after:
		return false
	}
	var coefficient uint64
	for i := range weight + 1 + after {
		coefficient *= digitBase
		if i < digits { // zeros at the end are not sent
			coefficient += uint64(binary.BigEndian.Uint16(source[headBytes+2*i:]))
		}
	}
	// The last digit may go on behind the decimals, with zeros.
	rest := powers[after*digitPlaces-decimals]
	if coefficient%rest != 0 {
		return false
	}
	var amount Amount
	amount.number.Coeff.SetUint64(coefficient / rest)
	amount.number.Exponent = int32(-decimals)
	amount.number.Negative = sign == negative && coefficient > 0
	*a = amount
	return true
}

type writePlan struct{ usual pgtype.EncodePlan }

// Encode appends an Amount.
func (p writePlan) Encode(value any, buffer []byte) ([]byte, error) {
	if a, ok := value.(Amount); ok {
		if written, ok := a.appendDigits(buffer); ok {
			return written, nil
		}
	}
	return p.usual.Encode(value, buffer)
}

// AppendNumeric appends the amount in PostgreSQL's binary format.
func (a Amount) AppendNumeric(buffer []byte) ([]byte, error) {
	if written, ok := a.appendDigits(buffer); ok {
		return written, nil
	}
	return pgtype.NumericCodec{}.PlanEncode(nil, pgtype.NumericOID, pgtype.BinaryFormatCode, a).Encode(a, buffer)
}

// appendDigits appends a numeric of a few digits. For any other one it reports false.
func (a Amount) appendDigits(buffer []byte) ([]byte, bool) {
	decimals := a.Decimals()
	after := (decimals + digitPlaces - 1) / digitPlaces
	if after > fastDigits || !a.number.Coeff.IsUint64() {
		return buffer, false
	}
	// The last digit has four places, so zeros fill it up behind the decimals.
	coefficient, missing := a.number.Coeff.Uint64(), powers[after*digitPlaces-decimals]
	// Four digits hold less than 1e16. A quotient is compared because the product may overflow.
	if coefficient >= 1e16/missing {
		return buffer, false
	}
	coefficient *= missing
	var all [fastDigits]uint16
	first := fastDigits
	for ; coefficient > 0; coefficient /= digitBase {
		first--
		all[first] = uint16(coefficient % digitBase)
	}
	var sign uint16
	if a.number.Negative {
		sign = negative
	}
	digits := all[first:]
	buffer = binary.BigEndian.AppendUint16(buffer, uint16(len(digits)))
	buffer = binary.BigEndian.AppendUint16(buffer, uint16(int16(len(digits)-1-after)))
	buffer = binary.BigEndian.AppendUint16(buffer, sign)
	buffer = binary.BigEndian.AppendUint16(buffer, uint16(decimals))
	for _, digit := range digits {
		buffer = binary.BigEndian.AppendUint16(buffer, digit)
	}
	return buffer, true
}
