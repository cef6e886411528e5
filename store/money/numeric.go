package money

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/cockroachdb/apd/v3"
	"github.com/jackc/pgx/v5/pgtype"
)

// NumericValue returns the amount with its scale for a PostgreSQL numeric.
func (a Amount) NumericValue() (pgtype.Numeric, error) {
	coefficient := a.number.Coeff.MathBigInt()
	if a.number.Negative {
		coefficient.Neg(coefficient)
	}
	return pgtype.Numeric{Int: coefficient, Exp: a.number.Exponent, Valid: true}, nil
}

// ScanNumeric sets the amount from a PostgreSQL numeric. It refuses NULL, NaN and the
// infinities. On an error the amount is unchanged.
func (a *Amount) ScanNumeric(numeric pgtype.Numeric) error {
	switch {
	case !numeric.Valid:
		return errors.New("scan amount: it is NULL")
	case numeric.NaN || numeric.InfinityModifier != pgtype.Finite:
		return errors.New("scan amount: it is not finite")
	case numeric.Exp > MaxWholeDigits:
		return fmt.Errorf("scan amount: %w", ErrTooLarge)
	case numeric.Exp < -MaxDecimals:
		return fmt.Errorf("scan amount: %w", ErrTooPrecise)
	}
	var amount Amount
	if numeric.Int != nil {
		amount.number.Coeff.SetMathBigInt(new(big.Int).Abs(numeric.Int))
		amount.number.Negative = numeric.Int.Sign() < 0
	}
	amount.number.Exponent = numeric.Exp
	// PostgreSQL sends 100 as 1e2. An Amount has no positive exponent.
	if numeric.Exp > 0 {
		amount.number.Exponent = 0
		ten := big.NewInt(10)
		power := ten.Exp(ten, big.NewInt(int64(numeric.Exp)), nil)
		amount.number.Coeff.Mul(&amount.number.Coeff, new(apd.BigInt).SetMathBigInt(power))
	}
	*a = amount
	return nil
}
